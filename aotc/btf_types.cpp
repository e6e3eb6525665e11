// SPDX-License-Identifier: MIT
//
// Walking checked BTF: by-value edges are acyclic and bounded in depth (bpf/btf.h), so recursion
// is.
#include "aotc/btf_types.h"

#include <set>
#include <string>

namespace bpfaot::aotc {

using bpf::BtfKind;

uint32_t BtfTypes::add(uint32_t btf_id) {
  if (btf_id == 0)
    return 0;
  if (const auto found = known_.find(btf_id); found != known_.end())
    return found->second;
  const uint32_t index = convert(btf_.type(btf_id));
  known_.emplace(btf_id, index);
  return index;
}

uint32_t BtfTypes::convert(const bpf::BtfType& type) {
  switch (type.kind) {
  case BtfKind::integer: {
    uint32_t encoding = type.encoding & (bpf::kBtfSigned | bpf::kBtfBool);
    if (type.size == 1 && type.name == "char")
      encoding |= BPFAOT_INT_CHAR;
    return table_.add_int(type.name, type.size, encoding);
  }
  case BtfKind::floating: return table_.add_float(type.name, type.size);
  case BtfKind::pointer: return table_.add_pointer(8);
  case BtfKind::array: {
    const uint32_t element = add(type.target);
    const uint64_t size = uint64_t{type.count} * table_.size_of(element);
    return size > UINT32_MAX ? 0 : table_.add_array(element, type.count, uint32_t(size));
  }
  case BtfKind::structure:
  case BtfKind::union_type: return convert_record(type);
  case BtfKind::enumeration:
  case BtfKind::enumeration64: {
    std::vector<TypeEnumerator> enumerators;
    for (const bpf::BtfEnumerator& one : btf_.enumerators(type))
      enumerators.push_back({std::string(one.name), one.value});
    return table_.add_enum(type.name, type.size, (type.encoding & bpf::kBtfSigned) != 0,
                           enumerators);
  }
  case BtfKind::type_def: {
    const uint32_t target = add(type.target);
    return target == 0 ? 0 : table_.add_named(target, type.name);
  }
  case BtfKind::volatile_type:
  case BtfKind::const_type:
  case BtfKind::restrict_type:
  case BtfKind::type_tag:
  case BtfKind::variable: return add(type.target);
  case BtfKind::void_type:
  case BtfKind::forward:
  case BtfKind::function:
  case BtfKind::function_proto:
  case BtfKind::data_section:
  case BtfKind::decl_tag: return 0;
  }
  return 0;
}

uint32_t BtfTypes::convert_record(const bpf::BtfType& type) {
  std::vector<TypeMember> members;
  for (const bpf::BtfMember& member : btf_.members(type))
    members.push_back(
        {std::string(member.name), add(member.type), member.bit_off, member.bit_size});
  return table_.add_record(type.kind == BtfKind::union_type, type.name, type.size, members);
}

uint32_t BtfTypes::find_record(uint64_t size) {
  std::set<uint32_t> pointed;
  for (uint32_t id = 1; id < btf_.type_count(); ++id) {
    if (btf_.type(id).kind != BtfKind::variable)
      continue;
    const bpf::BtfType& held = btf_.resolved(btf_.type(id).target);
    if (held.kind == BtfKind::pointer)
      pointed.insert(btf_.resolve(held.target));
  }
  uint32_t only = 0, preferred = 0;
  unsigned count = 0, preferred_count = 0;
  for (uint32_t id = 1; id < btf_.type_count(); ++id) {
    const bpf::BtfType& type = btf_.type(id);
    if (type.kind != BtfKind::structure || type.size != size || type.name.empty())
      continue;
    only = id;
    ++count;
    if (pointed.contains(id)) {
      preferred = id;
      ++preferred_count;
    }
  }
  if (preferred_count == 1)
    return add(preferred);
  return count == 1 ? add(only) : 0;
}

} // namespace bpfaot::aotc
