// SPDX-License-Identifier: MIT
//
// Names of CO-RE relocations: the access string walked over the object's own types.
#include "bpf/core.h"

#include <charconv>

namespace bpfaot::bpf {
namespace {

constexpr std::string_view kNames[] = {
    "field_byte_offset", "field_byte_size", "field_exists",   "field_signed", "field_lshift_u64",
    "field_rshift_u64",  "type_id_local",   "type_id_target", "type_exists",  "type_size",
    "enumval_exists",    "enumval_value",   "type_matches",
};

Result<std::string> field_path(const Btf& btf, const CoreRecord& record,
                               const std::vector<uint32_t>& steps) {
  std::string path;
  uint32_t id = btf.resolve(record.type);
  for (size_t i = 1; i < steps.size(); ++i) {
    const BtfType& type = btf.type(id);
    if (type.kind == BtfKind::array) {
      path += "[" + std::to_string(steps[i]) + "]";
      id = btf.resolve(type.target);
      continue;
    }
    const auto members = btf.members(type);
    if (steps[i] >= members.size())
      return malformed_core_access(record, "leads to a member that does not exist");
    const BtfMember& member = members[steps[i]];
    if (!member.name.empty())
      path += (path.empty() ? "" : ".") + std::string(member.name);
    id = btf.resolve(member.type);
  }
  return path;
}

} // namespace

Failure malformed_core_access(const CoreRecord& record, const char* what) {
  return fail(Code::kBtfExt, "CO-RE record at slot " + std::to_string(record.slot) + ": access '" +
                                 record.access + "' " + what);
}

Result<std::vector<uint32_t>> parse_core_access(const CoreRecord& record) {
  constexpr size_t kMaxSteps = 64;
  std::vector<uint32_t> steps;
  const char* at = record.access.data();
  const char* const end = at + record.access.size();
  while (true) {
    uint32_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || steps.size() >= kMaxSteps)
      return malformed_core_access(record, "is no list of indices");
    steps.push_back(value);
    if (next == end)
      return steps;
    if (*next != ':')
      return malformed_core_access(record, "is no list of indices");
    at = next + 1;
  }
}

std::string_view core_kind_name(CoreKind kind) {
  const auto number = static_cast<size_t>(kind);
  return number < std::size(kNames) ? kNames[number] : "unknown kind";
}

bool is_field_kind(CoreKind kind) {
  return kind <= CoreKind::field_rshift_u64;
}

std::string_view core_essential_name(std::string_view name) {
  for (size_t i = name.size(); i-- > 1;)
    if (name.substr(i).starts_with("___"))
      return name.substr(0, i);
  return name;
}

Result<std::string> describe_core_target(const Btf& btf, const CoreRecord& record) {
  const auto steps = TRY(parse_core_access(record));
  const std::string root = btf.name_of(record.type);
  if (is_field_kind(record.kind)) {
    const std::string path = TRY(field_path(btf, record, steps));
    return path.empty() ? root : root + "::" + path;
  }
  if (record.kind == CoreKind::enumval_exists || record.kind == CoreKind::enumval_value) {
    const auto values = btf.enumerators(btf.resolved(record.type));
    if (steps[0] >= values.size())
      return malformed_core_access(record, "leads to an enumerator that does not exist");
    return root + "::" + std::string(values[steps[0]].name);
  }
  return root;
}

Result<std::string> describe_core(const Btf& btf, const CoreRecord& record) {
  return std::string(core_kind_name(record.kind)) + " of " + TRY(describe_core_target(btf, record));
}

} // namespace bpfaot::bpf
