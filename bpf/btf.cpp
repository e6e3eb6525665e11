// SPDX-License-Identifier: MIT
//
// Questions about checked type information. Recursion ends because btf_read.cpp has bounded every
// by-value nesting.
#include "bpf/btf.h"

#include <cstring>

namespace bpfaot::bpf {

std::span<const BtfMember> Btf::members(const BtfType& type) const {
  if (type.kind != BtfKind::structure && type.kind != BtfKind::union_type)
    return {};
  return std::span(members_).subspan(type.first, type.count);
}

std::span<const BtfEnumerator> Btf::enumerators(const BtfType& type) const {
  if (type.kind != BtfKind::enumeration && type.kind != BtfKind::enumeration64)
    return {};
  return std::span(enumerators_).subspan(type.first, type.count);
}

std::span<const BtfParameter> Btf::parameters(const BtfType& type) const {
  return type.kind == BtfKind::function_proto
             ? std::span(parameters_).subspan(type.first, type.count)
             : std::span<const BtfParameter>();
}

std::span<const BtfSectionVariable> Btf::section_variables(const BtfType& type) const {
  return type.kind == BtfKind::data_section
             ? std::span(section_variables_).subspan(type.first, type.count)
             : std::span<const BtfSectionVariable>();
}

std::optional<std::string_view> Btf::string(uint32_t offset) const {
  if (offset >= strings_.size())
    return std::nullopt;
  // The table ends with a zero byte.
  return std::string_view(strings_.data() + offset, std::strlen(strings_.data() + offset));
}

uint32_t Btf::strip_qualifiers(uint32_t id) const {
  for (;;) {
    switch (type(id).kind) {
    case BtfKind::volatile_type:
    case BtfKind::const_type:
    case BtfKind::restrict_type:
    case BtfKind::type_tag: id = type(id).target; continue;
    default: return id;
    }
  }
}

uint32_t Btf::resolve(uint32_t id) const {
  for (;;) {
    id = strip_qualifiers(id);
    if (type(id).kind != BtfKind::type_def)
      return id;
    id = type(id).target;
  }
}

std::optional<uint32_t> Btf::size_of(uint32_t id) const {
  uint64_t count = 1;
  const BtfType* found = &resolved(id);
  while (found->kind == BtfKind::array) {
    if (found->count != 0 && count > UINT32_MAX / found->count)
      return std::nullopt;
    count *= found->count;
    found = &resolved(found->target);
  }
  switch (found->kind) {
  case BtfKind::integer:
  case BtfKind::floating:
  case BtfKind::enumeration:
  case BtfKind::enumeration64:
  case BtfKind::structure:
  case BtfKind::union_type:
  case BtfKind::data_section:
  case BtfKind::pointer: break;
  case BtfKind::variable: return count == 1 ? size_of(found->target) : std::nullopt;
  default: return std::nullopt;
  }
  const uint64_t size = count * found->size;
  return size <= UINT32_MAX ? std::optional(static_cast<uint32_t>(size)) : std::nullopt;
}

std::optional<uint32_t> Btf::find(BtfKind kind, std::string_view name) const {
  for (uint32_t id = 1; id < type_count(); ++id)
    if (types_[id].kind == kind && types_[id].name == name)
      return id;
  return std::nullopt;
}

std::optional<BtfFoundMember> Btf::find_member(uint32_t struct_id, std::string_view name) const {
  // Anonymous structs may share parts, so that a hostile nest of depth d has 2^d ways down.
  unsigned budget = 100'000;
  return find_member(struct_id, name, budget);
}

std::optional<BtfFoundMember> Btf::find_member(uint32_t struct_id, std::string_view name,
                                               unsigned& budget) const {
  for (const BtfMember& member : members(resolved(struct_id))) {
    if (budget == 0)
      return std::nullopt;
    --budget;
    if (member.name == name)
      return BtfFoundMember{member.type, member.bit_off, member.bit_size};
    if (!member.name.empty())
      continue;
    if (auto inside = find_member(member.type, name, budget)) {
      inside->bit_off += member.bit_off;
      return inside;
    }
  }
  return std::nullopt;
}

std::string Btf::name_of(uint32_t id) const {
  std::string suffix;
  // Pointers may lead in circles ("typedef struct s *s; struct s { s next; }" has names, but a
  // pointer to itself does not), so the steps are counted.
  for (unsigned step = 0; step < 2 * kMaxDepth; ++step) {
    const BtfType& found = type(id);
    const std::string name = found.name.empty() ? "(anonymous)" : std::string(found.name);
    switch (found.kind) {
    case BtfKind::void_type: return "void" + suffix;
    case BtfKind::structure: return "struct " + name + suffix;
    case BtfKind::union_type: return "union " + name + suffix;
    case BtfKind::enumeration:
    case BtfKind::enumeration64: return "enum " + name + suffix;
    case BtfKind::forward: return (found.kind_flag ? "union " : "struct ") + name + suffix;
    case BtfKind::pointer:
      suffix = (suffix.starts_with(" *") ? " *" + suffix.substr(1) : " *" + suffix);
      break;
    case BtfKind::array: suffix += "[" + std::to_string(found.count) + "]"; break;
    case BtfKind::function_proto: return "function" + suffix;
    case BtfKind::volatile_type:
    case BtfKind::const_type:
    case BtfKind::restrict_type:
    case BtfKind::type_tag: break;
    default: return name + suffix;
    }
    id = found.target;
  }
  return "type" + suffix;
}

} // namespace bpfaot::bpf
