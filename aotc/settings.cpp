// SPDX-License-Identifier: MIT
#include "aotc/settings.h"

#include "support/options.h"

#include <algorithm>

namespace bpfaot::aotc {
namespace {

class BtfTypes final : public ValueTypes {
public:
  explicit BtfTypes(const bpf::Btf& btf) : btf_(btf) {}

  ValueType type(uint32_t id) const override {
    const bpf::BtfType& type = btf_.resolved(id);
    ValueType value{.is_signed = (type.encoding & bpf::kBtfSigned) != 0,
                    .size = btf_.size_of(id).value_or(0)};
    switch (type.kind) {
    case bpf::BtfKind::integer:
      value.kind = ValueType::Kind::integer;
      value.is_bool = (type.encoding & bpf::kBtfBool) != 0;
      // clang calls no type a character but by its name.
      value.is_char = (type.encoding & bpf::kBtfChar) != 0 || type.name == "char";
      break;
    case bpf::BtfKind::enumeration:
    case bpf::BtfKind::enumeration64: value.kind = ValueType::Kind::enumeration; break;
    case bpf::BtfKind::floating: value.kind = ValueType::Kind::floating; break;
    case bpf::BtfKind::pointer: value.kind = ValueType::Kind::pointer; break;
    case bpf::BtfKind::array:
      value.kind = ValueType::Kind::array;
      value.element = type.target;
      value.count = type.count;
      break;
    default: break;
    }
    return value;
  }

  std::vector<std::pair<std::string_view, int64_t>> enumerators(uint32_t id) const override {
    std::vector<std::pair<std::string_view, int64_t>> all;
    for (const bpf::BtfEnumerator& one : btf_.enumerators(btf_.resolved(id)))
      all.emplace_back(one.name, one.value);
    return all;
  }

private:
  const bpf::Btf& btf_;
};

Failure unknown(const bpf::Object& object, const std::string& name, bpf::MapSection section,
                const std::string& what) {
  std::vector<std::string_view> names;
  for (const bpf::Variable& variable : object.variables)
    if (object.map(variable.map).section == section)
      names.push_back(variable.name);
  Diagnostic diagnostic =
      make_error(Code::kVariableUnknown, "no " + what + " '" + name + "'").about(object.path);
  if (const std::string near = nearest(name, names); !near.empty())
    diagnostic.hints.push_back("did you mean '" + near + "'?");
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  diagnostic.notes.push_back(list.empty() ? "the object has none" : "known: " + list);
  return Failure(std::move(diagnostic));
}

bpf::Variable* find(bpf::Object& object, const std::string& name, bpf::MapSection section) {
  for (bpf::Variable& variable : object.variables)
    if (variable.name == name && object.map(variable.map).section == section)
      return &variable;
  return nullptr;
}

Status write(bpf::Object& object, const bpf::Variable& variable, const std::string& text) {
  std::vector<uint8_t> bytes(std::min(variable.size, variable.type != 0 ? variable.size : 16u));
  const BtfTypes types(object.btf);
  // A type that is smaller than its variable leaves the rest as it is.
  const uint32_t typed = variable.type != 0 ? object.btf.size_of(variable.type).value_or(0) : 0;
  if (typed != 0 && typed <= bytes.size())
    bytes.resize(typed);
  if (auto needed = typed != 0 ? parse_value(types, variable.type, text, bytes)
                               : parse_untyped_value(text, bytes))
    return Failure(make_error(Code::kVariableValue,
                              "'" + text + "' is no value for '" + variable.name + "' (" +
                                  (variable.type != 0 ? object.btf.name_of(variable.type)
                                                      : std::to_string(variable.size) + " bytes") +
                                  ")")
                       .about(object.path)
                       .values(text, *needed));
  std::vector<uint8_t>& initial = object.maps[variable.map.value].initial;
  if (uint64_t{variable.offset} + bytes.size() > initial.size())
    return fail(Code::kInternal, "variable '" + variable.name + "' lies outside its section");
  std::copy(bytes.begin(), bytes.end(), initial.begin() + variable.offset);
  return {};
}

// y, n and m of a .config in the words of the extern's type.
std::string configuration_text(const bpf::Btf& btf, uint32_t type, const std::string& text) {
  const ValueType found = BtfTypes(btf).type(type);
  const bool is_tristate = text == "y" || text == "n" || text == "m";
  if (is_tristate && found.kind == ValueType::Kind::enumeration)
    return text == "y" ? "TRI_YES" : text == "n" ? "TRI_NO" : "TRI_MODULE";
  if (is_tristate && found.is_bool && text != "m")
    return text == "y" ? "true" : "false";
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

} // namespace

Status apply_settings(bpf::Object& object, std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    bpf::Variable* variable = find(object, setting.name, bpf::MapSection::rodata);
    if (variable == nullptr) {
      const bool is_data = find(object, setting.name, bpf::MapSection::data) != nullptr ||
                           find(object, setting.name, bpf::MapSection::bss) != nullptr;
      if (is_data)
        return Failure(make_error(Code::kVariableFixed,
                                  "'" + setting.name + "' is no constant: programs may change it")
                           .about(object.path)
                           .hint("bpf-aot --set gives it a value before it runs"));
      return unknown(object, setting.name, bpf::MapSection::rodata, "constant");
    }
    TRY(write(object, *variable, setting.value));
    variable->is_fixed = true;
    object.maps[variable->map.value].fixed.emplace_back(variable->offset,
                                                        variable->offset + variable->size);
  }
  return {};
}

Status apply_configuration(bpf::Object& object, std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    bpf::Variable* variable = find(object, setting.name, bpf::MapSection::kconfig);
    if (variable == nullptr)
      return unknown(object, setting.name, bpf::MapSection::kconfig, "kernel configuration");
    TRY(write(object, *variable, configuration_text(object.btf, variable->type, setting.value)));
    variable->is_resolved = true;
    variable->is_fixed = true;
  }
  for (bpf::Variable& variable : object.variables) {
    if (!object.kconfig_map || variable.map != *object.kconfig_map)
      continue;
    // The loader says what LINUX_… is where the probe runs.
    variable.is_fixed |= !variable.name.starts_with("LINUX_");
    if (variable.is_fixed)
      object.maps[variable.map.value].fixed.emplace_back(variable.offset,
                                                         variable.offset + variable.size);
  }
  return {};
}

} // namespace bpfaot::aotc
