// SPDX-License-Identifier: MIT
//
// What a CO-RE record means in one set of types: the record's access string walked over the
// object's own types, and the same names looked up in other types. Rules: the kernel's
// tools/lib/bpf/relo_core.c as its documentation (Documentation/bpf/llvm_reloc.rst) and behaviour
// tell them; the kernel is the oracle of the tests.
#pragma once

#include "bpf/btf.h"
#include "bpf/core.h"

#include <optional>

namespace bpfaot::bpf {

// One step from the root to a field: a named member, or an array element.
struct CoreStep {
  uint32_t container = 0; // local type id of what is stepped into
  uint32_t member = 0;    // which member of it, or which element
  std::string_view name;  // "" = an element
};

// Where a field lies in one set of types.
struct CoreField {
  uint32_t type = 0;     // of the field
  uint64_t bit_off = 0;  // from the start of the root
  uint32_t bit_size = 0; // 0 = not a bit field
};

struct CoreSpec {
  uint32_t root = 0; // type id in the object
  std::vector<CoreStep>
      steps;       // field kinds; the first is the index of the root as an array element
  CoreField field; // field kinds
  std::string_view enumerator; // enumerator kinds
  int64_t enum_value = 0;
};

// The record in the object's own types. [btf-ext-malformed]
Result<CoreSpec> read_core_spec(const Btf& btf, const CoreRecord& record);

// The field that `spec` of `local` names, looked for in the type `root` of `other`; nothing when a
// name is missing or leads to something of another kind.
std::optional<CoreField> find_core_field(const Btf& local, const CoreSpec& spec, const Btf& other,
                                         uint32_t root);

// Whether a type may stand for another in an existence or size query: same shape, names below the
// root do not matter.
bool are_core_compatible(const Btf& local, uint32_t local_id, const Btf& other, uint32_t other_id);
// Whether it matches in depth: names, members, enumerators, signs and sizes (BPF_TYPE_MATCHES).
bool do_core_types_match(const Btf& local, uint32_t local_id, const Btf& other, uint32_t other_id);

// The values that records of the field kinds ask for. Nothing for a bit field that no load of at
// most 8 bytes covers, and for a type without a size.
// `bit_off` plus that many elements of `size` bytes; nothing when that is far beyond any type.
std::optional<uint64_t> core_bits_at(uint64_t bit_off, uint32_t index, uint64_t size);

std::optional<uint64_t> core_field_value(const Btf& btf, CoreKind kind, const CoreField& field);

} // namespace bpfaot::bpf
