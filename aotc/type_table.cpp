// SPDX-License-Identifier: MIT
//
// Building the flat type tables.
#include "aotc/type_table.h"

namespace bpfaot::aotc {

uint32_t StringTable::add(std::string_view text) {
  if (text.empty())
    return 0;
  const auto [place, is_new] = offsets_.try_emplace(std::string(text), uint32_t(bytes_.size()));
  if (is_new) {
    bytes_.append(text);
    bytes_.push_back('\0');
  }
  return place->second;
}

TypeTable::TypeTable(StringTable& strings) : strings_(strings) {
  types_.push_back({.kind = BPFAOT_TYPE_VOID});
}

uint32_t TypeTable::add(const bpfaot_type& type) {
  types_.push_back(type);
  return uint32_t(types_.size() - 1);
}

uint32_t TypeTable::add_int(std::string_view name, uint32_t size, uint32_t encoding) {
  return add(
      {.kind = BPFAOT_TYPE_INT, .name = strings_.add(name), .size = size, .encoding = encoding});
}

uint32_t TypeTable::add_float(std::string_view name, uint32_t size) {
  return add({.kind = BPFAOT_TYPE_FLOAT, .name = strings_.add(name), .size = size});
}

uint32_t TypeTable::add_pointer(uint32_t size) {
  return add({.kind = BPFAOT_TYPE_POINTER, .size = size});
}

uint32_t TypeTable::add_array(uint32_t element, uint32_t count, uint32_t size) {
  return add({.kind = BPFAOT_TYPE_ARRAY, .size = size, .target = element, .count = count});
}

uint32_t TypeTable::add_record(bool is_union, std::string_view name, uint32_t size,
                               const std::vector<TypeMember>& members) {
  const auto first = uint32_t(members_.size());
  for (const TypeMember& member : members)
    members_.push_back({strings_.add(member.name), member.type, member.bit_off, member.bit_size});
  return add({.kind = uint32_t(is_union ? BPFAOT_TYPE_UNION : BPFAOT_TYPE_STRUCT),
              .name = strings_.add(name),
              .size = size,
              .first = first,
              .count = uint32_t(members.size())});
}

uint32_t TypeTable::add_enum(std::string_view name, uint32_t size, bool is_signed,
                             const std::vector<TypeEnumerator>& enumerators) {
  const auto first = uint32_t(enumerators_.size());
  for (const TypeEnumerator& one : enumerators)
    enumerators_.push_back({one.value, strings_.add(one.name), 0});
  return add({.kind = BPFAOT_TYPE_ENUM,
              .name = strings_.add(name),
              .size = size,
              .encoding = uint32_t(is_signed ? BPFAOT_INT_SIGNED : 0),
              .first = first,
              .count = uint32_t(enumerators.size())});
}

uint32_t TypeTable::add_named(uint32_t type, std::string_view name) {
  bpfaot_type copy = types_[type];
  copy.name = strings_.add(name);
  return add(copy);
}

} // namespace bpfaot::aotc
