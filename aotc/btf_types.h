// SPDX-License-Identifier: MIT
//
// BTF types as entries of an image's flat type tables.
#pragma once

#include "aotc/type_table.h"
#include "bpf/btf.h"

#include <unordered_map>

namespace bpfaot::aotc {

class BtfTypes {
public:
  // Both must outlive this.
  BtfTypes(const bpf::Btf& btf, TypeTable& table) : btf_(btf), table_(table) {}

  // Index in the table; 0 (void) for void, functions, forward declarations and unknown ids. Types
  // inside are added first, each once.
  uint32_t add(uint32_t btf_id);
  // The one named struct of exactly `size` bytes; where several have it, the one that a global
  // variable points to (`const struct event *unused`, the habit that keeps a type in BTF).
  uint32_t find_record(uint64_t size);

private:
  uint32_t convert(const bpf::BtfType& type);
  uint32_t convert_record(const bpf::BtfType& type);
  const bpf::Btf& btf_;
  TypeTable& table_;
  std::unordered_map<uint32_t, uint32_t> known_; // BTF id -> index
};

} // namespace bpfaot::aotc
