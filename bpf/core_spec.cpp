// SPDX-License-Identifier: MIT
//
// Walking access strings over types, and the values of fields.
#include "bpf/core_spec.h"

namespace bpfaot::bpf {
namespace {

constexpr uint64_t kMaxBits = uint64_t{1} << 36; // far beyond any struct, far from overflow

// The element of an array that is the last member of its struct may lie beyond its declared bound.
bool is_flexible(const Btf& btf, const CoreStep& outer, const BtfType& array) {
  const BtfType& container = btf.type(outer.container);
  return container.kind == BtfKind::structure && array.count <= 1 &&
         outer.member + 1 == btf.members(container).size();
}

Result<CoreSpec> read_field_spec(const Btf& btf, const CoreRecord& record,
                                 const std::vector<uint32_t>& access) {
  CoreSpec spec;
  spec.root = record.type;
  uint32_t id = btf.resolve(record.type);
  const auto root_size = btf.size_of(id);
  if (!root_size)
    return malformed_core_access(record, "starts from a type without a size");
  spec.steps.push_back({id, access[0], {}});
  const auto first = core_bits_at(0, access[0], *root_size);
  if (!first)
    return malformed_core_access(record, "leads too far");
  spec.field.bit_off = *first;
  spec.field.type = record.type;
  CoreStep last_member{0, 0, {}}; // the member that an array was reached by
  for (size_t i = 1; i < access.size(); ++i) {
    const BtfType& type = btf.type(id);
    if (type.kind == BtfKind::array) {
      const auto size = btf.size_of(type.target);
      const bool beyond = access[i] >= type.count;
      if (!size || (beyond && !(last_member.container != 0 && is_flexible(btf, last_member, type))))
        return malformed_core_access(record, "leads to an element that does not exist");
      spec.steps.push_back({id, access[i], {}});
      const auto place = core_bits_at(spec.field.bit_off, access[i], *size);
      if (!place)
        return malformed_core_access(record, "leads too far");
      spec.field = {type.target, *place, 0};
      last_member = {};
    } else {
      const auto members = btf.members(type);
      if (access[i] >= members.size())
        return malformed_core_access(record, "leads to a member that does not exist");
      const BtfMember& member = members[access[i]];
      if (!member.name.empty())
        spec.steps.push_back({id, access[i], member.name});
      spec.field = {member.type, spec.field.bit_off + member.bit_off, member.bit_size};
      last_member = {id, access[i], member.name};
    }
    if (spec.field.bit_off > kMaxBits)
      return malformed_core_access(record, "leads too far");
    id = btf.resolve(spec.field.type);
  }
  return spec;
}

} // namespace

std::optional<uint64_t> core_bits_at(uint64_t bit_off, uint32_t index, uint64_t size) {
  if (size > kMaxBits || bit_off > kMaxBits)
    return std::nullopt;
  if (size != 0 && index > (kMaxBits - bit_off) / (size * 8))
    return std::nullopt;
  return bit_off + index * size * 8;
}

Result<CoreSpec> read_core_spec(const Btf& btf, const CoreRecord& record) {
  const auto access = TRY(parse_core_access(record));
  if (is_field_kind(record.kind))
    return read_field_spec(btf, record, access);
  CoreSpec spec;
  spec.root = record.type;
  if (access.size() != 1)
    return malformed_core_access(record, "has steps that its kind has no use for");
  if (record.kind == CoreKind::enumval_exists || record.kind == CoreKind::enumval_value) {
    const auto values = btf.enumerators(btf.resolved(record.type));
    if (access[0] >= values.size())
      return malformed_core_access(record, "leads to an enumerator that does not exist");
    spec.enumerator = values[access[0]].name;
    spec.enum_value = values[access[0]].value;
  } else if (access[0] != 0) {
    return malformed_core_access(record, "has steps that its kind has no use for");
  }
  return spec;
}

std::optional<uint64_t> core_field_value(const Btf& btf, CoreKind kind, const CoreField& field) {
  if (kind == CoreKind::field_exists)
    return 1;
  if (kind == CoreKind::field_signed) {
    const BtfType& type = btf.resolved(field.type);
    const bool is_enum = type.kind == BtfKind::enumeration || type.kind == BtfKind::enumeration64;
    return (is_enum || type.kind == BtfKind::integer) && (type.encoding & kBtfSigned) != 0 ? 1 : 0;
  }
  const auto declared = btf.size_of(field.type);
  if (!declared)
    return std::nullopt;
  uint64_t size = *declared, offset = field.bit_off / 8;
  if (field.bit_size !=
      0) { // the smallest aligned load, beginning with the declared type's, that covers it
    if (size == 0)
      return std::nullopt;
    offset = field.bit_off / 8 / size * size;
    while (field.bit_off + field.bit_size - offset * 8 > size * 8) {
      if (size >= 8)
        return std::nullopt;
      size *= 2;
      offset = field.bit_off / 8 / size * size;
    }
  } else if (field.bit_off % 8 != 0) {
    return std::nullopt;
  }
  const uint64_t bits = field.bit_size != 0 ? field.bit_size : size * 8;
  switch (kind) {
  case CoreKind::field_byte_offset: return offset;
  case CoreKind::field_byte_size: return size;
  case CoreKind::field_lshift_u64: // both are of eBPF's byte order: little endian
    return bits <= 64 ? std::optional(64 - (field.bit_off + bits - offset * 8)) : std::nullopt;
  case CoreKind::field_rshift_u64: return bits <= 64 ? std::optional(64 - bits) : std::nullopt;
  default: return std::nullopt;
  }
}

} // namespace bpfaot::bpf
