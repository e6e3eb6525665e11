// SPDX-License-Identifier: MIT
//
// The type information of an object (.BTF), checked once and then safe to walk:
//   - every type id, string and range of members that can be read from a Btf is in bounds;
//   - following "by value" edges (members, array elements, typedefs, qualifiers) never cycles and
//     ends within kMaxDepth steps, so recursive walks need no limit of their own as long as they
//     stop at pointers and functions, which is where cycles are legal;
//   - members lie inside their struct.
// Format: kernel Documentation/bpf/btf.rst. Ids are the format's own; 0 is void.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::bpf {

enum class BtfKind : uint8_t { // numbers of the format
  void_type = 0,
  integer = 1,
  pointer = 2,
  array = 3,
  structure = 4,
  union_type = 5,
  enumeration = 6,
  forward = 7,
  type_def = 8,
  volatile_type = 9,
  const_type = 10,
  restrict_type = 11,
  function = 12,
  function_proto = 13,
  variable = 14,
  data_section = 15,
  floating = 16,
  decl_tag = 17,
  type_tag = 18,
  enumeration64 = 19,
};

enum : uint8_t {
  kBtfSigned = 1,
  kBtfChar = 2,
  kBtfBool = 4
}; // BtfType::encoding; same bits as BPFAOT_INT_*

struct BtfType {
  BtfKind kind = BtfKind::void_type;
  bool kind_flag = false; // forward: a union; enumeration: signed values
  uint8_t encoding = 0;   // integer: kBtf*; enumerations: kBtfSigned or 0
  uint8_t bits = 0;       // integer: value bits
  uint8_t bit_offset = 0; // integer
  uint8_t linkage = 0;    // function, variable: 0 static, 1 global, 2 extern
  uint32_t size =
      0; // bytes: integer, structure, union_type, enumerations, floating, data_section, pointer
  uint32_t target =
      0; // pointer, typedef, qualifiers, tags, variable, function, array element, return type
  uint32_t first = 0,
           count =
               0; // of members(), enumerators(), parameters(), section_variables(); array: count
  int32_t component = -1; // decl_tag: member or parameter index, -1 = the declaration itself
  std::string_view name;  // "" = anonymous
};

struct BtfMember {
  std::string_view name;
  uint32_t type;
  uint32_t bit_off;
  uint32_t bit_size; // 0 = not a bit field
};
struct BtfEnumerator {
  std::string_view name;
  int64_t value; // as the enumeration's signedness says
};
struct BtfParameter {
  std::string_view name;
  uint32_t type; // 0 with no name = "..."
};
struct BtfSectionVariable {
  uint32_t type; // a variable
  uint32_t offset, size;
};

// A member found by name, through anonymous structs and unions.
struct BtfFoundMember {
  uint32_t type;
  uint32_t bit_off; // from the start of the struct that was searched
  uint32_t bit_size;
};

class Btf {
public:
  static constexpr unsigned kMaxDepth = 64;

  Btf() = default; // only void
  Btf(Btf&&) = default;
  Btf& operator=(Btf&&) = default;
  Btf(const Btf&) = delete;
  Btf& operator=(const Btf&) = delete;

  // [btf-malformed]
  static Result<Btf> read(std::span<const uint8_t> section);

  uint32_t type_count() const { return static_cast<uint32_t>(types_.size()); } // ids are below it
  bool empty() const { return types_.size() <= 1; }
  const BtfType& type(uint32_t id) const { return types_[id < types_.size() ? id : 0]; }
  std::span<const BtfMember> members(const BtfType& type) const; // structure, union_type
  std::span<const BtfEnumerator>
  enumerators(const BtfType& type) const;                              // enumeration, enumeration64
  std::span<const BtfParameter> parameters(const BtfType& type) const; // function_proto
  std::span<const BtfSectionVariable> section_variables(const BtfType& type) const; // data_section
  std::optional<std::string_view> string(uint32_t offset) const;

  // Without qualifiers and type tags / also without typedefs.
  uint32_t strip_qualifiers(uint32_t id) const;
  uint32_t resolve(uint32_t id) const;
  const BtfType& resolved(uint32_t id) const { return type(resolve(id)); }
  // Bytes; nothing for void, functions and forward declarations.
  std::optional<uint32_t> size_of(uint32_t id) const;
  uint32_t align_of(uint32_t id) const {
    return align_[id < align_.size() ? id : 0];
  } // clang's for eBPF, at most 8
  std::optional<uint32_t> find(BtfKind kind, std::string_view name) const; // first of that name
  std::optional<BtfFoundMember> find_member(uint32_t struct_id, std::string_view name) const;
  // "struct task_struct", "int", "struct event *[4]": for messages.
  std::string name_of(uint32_t id) const;

private:
  class Reader;
  std::optional<BtfFoundMember> find_member(uint32_t struct_id, std::string_view name,
                                            unsigned& budget) const;
  std::vector<char> strings_{'\0'}; // names are views into it
  std::vector<BtfType> types_{1};
  std::vector<uint8_t> align_{1}; // by id
  std::vector<BtfMember> members_;
  std::vector<BtfEnumerator> enumerators_;
  std::vector<BtfParameter> parameters_;
  std::vector<BtfSectionVariable> section_variables_;
};

} // namespace bpfaot::bpf
