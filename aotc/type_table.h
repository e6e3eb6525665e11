// SPDX-License-Identifier: MIT
//
// The flat type tables of an image (include/bpfaot/abi.h) while they are being made: strings,
// types, members, enumerators. Two front ends fill them: aotc/btf_types.h and aotc/dwarf_types.h.
#pragma once

#include <bpfaot/abi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bpfaot::aotc {

// The string blob: each text once, offset 0 is the empty string.
class StringTable {
public:
  StringTable() : bytes_(1, '\0') {}
  uint32_t add(std::string_view text);
  const std::string& bytes() const { return bytes_; }

private:
  std::string bytes_;
  std::unordered_map<std::string, uint32_t> offsets_;
};

struct TypeMember {
  std::string name;
  uint32_t type;
  uint32_t bit_off, bit_size; // bit_size 0 = not a bit field
};

struct TypeEnumerator {
  std::string name;
  int64_t value;
};

// Types refer only to types that were added before them, so the tables are acyclic by construction;
// what a pointer points to is not recorded (the target prints addresses, it does not follow them).
class TypeTable {
public:
  explicit TypeTable(StringTable& strings);

  uint32_t add_int(std::string_view name, uint32_t size, uint32_t encoding);
  uint32_t add_float(std::string_view name, uint32_t size);
  uint32_t add_pointer(uint32_t size);
  uint32_t add_array(uint32_t element, uint32_t count, uint32_t size);
  uint32_t add_record(bool is_union, std::string_view name, uint32_t size,
                      const std::vector<TypeMember>& members);
  uint32_t add_enum(std::string_view name, uint32_t size, bool is_signed,
                    const std::vector<TypeEnumerator>& enumerators);
  // The same type under a typedef's name.
  uint32_t add_named(uint32_t type, std::string_view name);

  uint32_t size_of(uint32_t type) const { return types_[type].size; }
  const std::vector<bpfaot_type>& types() const { return types_; }
  const std::vector<bpfaot_member>& members() const { return members_; }
  const std::vector<bpfaot_enumerator>& enumerators() const { return enumerators_; }

private:
  uint32_t add(const bpfaot_type& type);
  StringTable& strings_;
  std::vector<bpfaot_type> types_; // [0] is void
  std::vector<bpfaot_member> members_;
  std::vector<bpfaot_enumerator> enumerators_;
};

} // namespace bpfaot::aotc
