// SPDX-License-Identifier: MIT
//
// Answers to CO-RE records from other types than the object's, and putting them into instructions.
// A name that those types lack answers 0 where existence or a type's size was asked for, and
// poisons the instruction otherwise.
#pragma once

#include "bpf/core_spec.h"
#include "bpf/insn.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace bpfaot::bpf {

// Types with an index by name without flavour. Immutable, shared by all programs of an object.
class CoreTypes {
public:
  explicit CoreTypes(Btf btf);
  // Raw BTF, or an ELF file with a .BTF section. [io] [btf-malformed] [core-types]
  static Result<std::shared_ptr<const CoreTypes>> read_file(const std::string& path);

  // What a process has of the kernel's types (kernel_types.c).
  static Result<std::shared_ptr<const CoreTypes>> of_a_process();

  const Btf& btf() const { return btf_; }
  // Ids of the named types without that name's flavour, in order.
  const std::vector<uint32_t>& named(std::string_view essential_name) const;

private:
  Btf btf_;
  std::unordered_map<std::string_view, std::vector<uint32_t>> by_name_;
};

struct CoreAnswer {
  uint64_t value = 0;
  uint64_t was = 0;       // the value in the object's own types
  bool is_poison = false; // there is no such thing and the instruction has no meaning
  bool is_checked = true; // the instruction must hold `was`
  uint32_t size = 0,
           was_size = 0;   // of the field, when it is a whole one: the size of a load or store
  bool can_resize = false; // reading it with the new size gives the same value, zero-extended
};

// [btf-ext-malformed] [core-ambiguous]
Result<CoreAnswer> resolve_core(const Btf& local, const CoreRecord& record, const CoreTypes& types);

// Whether `types` has a type of the name and kind that the record starts from.
bool has_core_root(const Btf& local, const CoreRecord& record, const CoreTypes& types);
// The answer where nobody describes the record's type: the object's own layout, but whether such a
// thing exists is answered no. [btf-ext-malformed]
Result<CoreAnswer> assume_core(const Btf& local, const CoreRecord& record);
// For a field that a process does not have: sign-extended, with null or with any address of the
// kernel's half in its reach, the sum is never an address of a process.
inline constexpr int32_t kAbsentField = -0x7f000000;

// Puts the answer into the instruction; false: it cannot hold it and is to be poisoned. The
// instruction must be one that the record's kind is made for. [btf-ext-malformed]
Result<bool> apply_core(Insn& insn, const CoreRecord& record, const CoreAnswer& answer);

} // namespace bpfaot::bpf
