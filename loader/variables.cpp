// SPDX-License-Identifier: MIT
//
// Text to the bytes of a variable.
#include "loader/variables.h"

#include "support/options.h"

#include <algorithm>

namespace bpfaot::loader {
namespace {

Failure bad_value(const Image& image, const bpfaot_variable& variable, std::string_view text,
                  std::string needed) {
  return Failure(make_error(Code::kVariableValue,
                            "'" + std::string(text) + "' is no value for '" +
                                std::string(image.string(variable.name)) + "' (" +
                                (variable.type ? type_text(image, variable.type)
                                               : std::to_string(variable.size) + " bytes") +
                                ")")
                     .about(image.path())
                     .values(std::string(text), std::move(needed)));
}

class ImageTypes final : public ValueTypes {
public:
  explicit ImageTypes(const Image& image) : image_(image) {}

  ValueType type(uint32_t id) const override {
    const bpfaot_type& type = image_.types()[id];
    ValueType value{.is_signed = (type.encoding & BPFAOT_INT_SIGNED) != 0,
                    .is_bool = (type.encoding & BPFAOT_INT_BOOL) != 0,
                    .is_char = (type.encoding & BPFAOT_INT_CHAR) != 0,
                    .size = type.size,
                    .element = type.target,
                    .count = type.count};
    switch (type.kind) {
    case BPFAOT_TYPE_INT: value.kind = ValueType::Kind::integer; break;
    case BPFAOT_TYPE_ENUM: value.kind = ValueType::Kind::enumeration; break;
    case BPFAOT_TYPE_FLOAT: value.kind = ValueType::Kind::floating; break;
    case BPFAOT_TYPE_ARRAY: value.kind = ValueType::Kind::array; break;
    case BPFAOT_TYPE_POINTER: value.kind = ValueType::Kind::pointer; break;
    default: break;
    }
    return value;
  }

  std::vector<std::pair<std::string_view, int64_t>> enumerators(uint32_t id) const override {
    std::vector<std::pair<std::string_view, int64_t>> all;
    for (const bpfaot_enumerator& one : image_.enumerators(image_.types()[id]))
      all.emplace_back(image_.string(one.name), one.value);
    return all;
  }

private:
  const Image& image_;
};

} // namespace

Result<uint32_t> find_variable(const Image& image, std::string_view name) {
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < image.variables().size(); ++i) {
    names.push_back(image.string(image.variables()[i].name));
    if (names.back() == name)
      return i;
  }
  Diagnostic diagnostic =
      make_error(Code::kVariableUnknown, "no variable '" + std::string(name) + "'")
          .about(image.path());
  if (const std::string near = nearest(name, names); !near.empty())
    diagnostic.hints.push_back("did you mean '" + near + "'?");
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  diagnostic.notes.push_back(list.empty() ? "the probe has no variables" : "variables: " + list);
  return Failure(std::move(diagnostic));
}

Result<std::vector<uint8_t>> encode_setting(const Image& image, const bpfaot_variable& variable,
                                            std::string_view text) {
  // An untyped value has at most 8 bytes.
  std::vector<uint8_t> bytes(variable.type != 0 ? image.types()[variable.type].size
                                                : std::min(variable.size, 16u));
  if (auto needed = variable.type != 0 ? parse_value(ImageTypes(image), variable.type, text, bytes)
                                       : parse_untyped_value(text, bytes))
    return bad_value(image, variable, text, std::move(*needed));
  return bytes;
}

std::string type_text(const Image& image, uint32_t index) {
  std::string suffix;
  const bpfaot_type* type = &image.types()[index];
  while (type->kind == BPFAOT_TYPE_ARRAY) { // acyclic: checked when the image was opened
    suffix += "[" + std::to_string(type->count) + "]";
    type = &image.types()[type->target];
  }
  const std::string name(image.string(type->name));
  switch (type->kind) {
  case BPFAOT_TYPE_VOID: return "void" + suffix;
  case BPFAOT_TYPE_POINTER: return "pointer" + suffix;
  case BPFAOT_TYPE_STRUCT: return "struct " + (name.empty() ? "(anonymous)" : name) + suffix;
  case BPFAOT_TYPE_UNION: return "union " + (name.empty() ? "(anonymous)" : name) + suffix;
  case BPFAOT_TYPE_ENUM: return "enum " + (name.empty() ? "(anonymous)" : name) + suffix;
  default: break;
  }
  return (name.empty() ? std::to_string(type->size * 8) + "-bit" : name) + suffix;
}

} // namespace bpfaot::loader
