// SPDX-License-Identifier: MIT
//
// Text to the bytes of a variable.
#include "loader/variables.h"

#include "support/options.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

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

struct Number {
  uint64_t magnitude = 0;
  bool is_negative = false;
};

std::optional<Number> parse_number(std::string_view text) {
  Number number;
  if (text.size() == 3 && text.front() == '\'' && text.back() == '\'')
    return Number{static_cast<uint8_t>(text[1]), false};
  if (text.starts_with('-') || text.starts_with('+')) {
    number.is_negative = text.front() == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number.magnitude, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

bool fits(const Number& number, uint32_t size, bool is_signed) {
  const unsigned bits = size * 8;
  if (number.is_negative)
    return is_signed && number.magnitude <= (uint64_t{1} << (bits - 1));
  const unsigned free = is_signed ? bits - 1 : bits;
  return free >= 64 || number.magnitude < (uint64_t{1} << free);
}

void store(std::span<uint8_t> out, const Number& number) {
  const uint64_t value = number.is_negative ? 0 - number.magnitude : number.magnitude;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = i < 8 ? static_cast<uint8_t>(value >> (8 * i)) : (number.is_negative ? 0xff : 0);
}

class Encoder {
public:
  Encoder(const Image& image, const bpfaot_variable& variable)
      : image_(image), variable_(variable) {}

  Status encode(uint32_t index, std::string_view text, std::span<uint8_t> out) {
    const bpfaot_type& type = image_.types()[index];
    switch (type.kind) {
    case BPFAOT_TYPE_INT: return integer(type, text, out);
    case BPFAOT_TYPE_ENUM: return enumerator(type, text, out);
    case BPFAOT_TYPE_FLOAT: return floating(type, text, out);
    case BPFAOT_TYPE_ARRAY: return array(type, text, out);
    case BPFAOT_TYPE_POINTER: return bad_value(image_, variable_, text, "nothing: it is a pointer");
    default:
      return bad_value(image_, variable_, text, "nothing: only scalars and arrays can be set");
    }
  }

  Status number(std::string_view text, std::span<uint8_t> out, bool is_signed, bool is_either) {
    const auto parsed = parse_number(text);
    const auto size = static_cast<uint32_t>(out.size());
    if (!parsed)
      return bad_value(image_, variable_, text, "a number");
    if (!fits(*parsed, size, is_signed) && !(is_either && fits(*parsed, size, true)))
      return bad_value(image_, variable_, text,
                       std::string(is_signed ? "a signed" : "an unsigned") + " number of " +
                           std::to_string(size * 8) + " bits");
    store(out, *parsed);
    return {};
  }

private:
  Status integer(const bpfaot_type& type, std::string_view text, std::span<uint8_t> out) {
    if (type.encoding & BPFAOT_INT_BOOL) {
      const bool is_true = text == "true" || text == "1" || text == "yes";
      if (!is_true && text != "false" && text != "0" && text != "no")
        return bad_value(image_, variable_, text, "true or false");
      store(out, {is_true, false});
      return {};
    }
    if ((type.encoding & BPFAOT_INT_CHAR) && text.size() == 1 && !std::isdigit(text[0])) {
      store(out, {static_cast<uint8_t>(text[0]), false});
      return {};
    }
    return number(text, out, type.encoding & BPFAOT_INT_SIGNED, false);
  }

  Status enumerator(const bpfaot_type& type, std::string_view text, std::span<uint8_t> out) {
    std::string names;
    for (const bpfaot_enumerator& one : image_.enumerators(type)) {
      if (image_.string(one.name) == text) {
        const auto bits = static_cast<uint64_t>(one.value);
        store(out, one.value < 0 ? Number{0 - bits, true} : Number{bits, false});
        return {};
      }
      names += (names.empty() ? "" : ", ") + std::string(image_.string(one.name));
    }
    if (!parse_number(text))
      return bad_value(image_, variable_, text, "one of " + names);
    return number(text, out, type.encoding & BPFAOT_INT_SIGNED, false);
  }

  Status floating(const bpfaot_type& type, std::string_view text, std::span<uint8_t> out) {
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != 0 || (type.size != 4 && type.size != 8))
      return bad_value(image_, variable_, text, "a floating-point number");
    const auto narrow = static_cast<float>(value);
    std::memcpy(out.data(), type.size == 4 ? static_cast<const void*>(&narrow) : &value, type.size);
    return {};
  }

  Status array(const bpfaot_type& type, std::string_view text, std::span<uint8_t> out) {
    const bpfaot_type& element = image_.types()[type.target];
    if (element.kind == BPFAOT_TYPE_INT && element.size == 1 &&
        (element.encoding & BPFAOT_INT_CHAR)) {
      if (text.size() >= out.size())
        return bad_value(image_, variable_, text,
                         "at most " + std::to_string(out.empty() ? 0 : out.size() - 1) +
                             " characters");
      std::fill(out.begin(), out.end(), 0);
      std::copy(text.begin(), text.end(), out.begin());
      return {};
    }
    std::fill(out.begin(), out.end(), 0);
    for (uint32_t i = 0; !text.empty(); ++i) {
      if (i >= type.count)
        return bad_value(image_, variable_, text,
                         "at most " + std::to_string(type.count) + " elements");
      const size_t comma = text.find(',');
      TRY(encode(type.target, text.substr(0, comma),
                 out.subspan(uint64_t{i} * element.size, element.size)));
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return {};
  }

  const Image& image_;
  const bpfaot_variable& variable_;
};

} // namespace

Result<Setting> parse_setting(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return fail(Code::kUsage, "--set " + std::string(text) + ": the form is --set NAME=VALUE");
  return Setting{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

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
  Encoder encoder(image, variable);
  if (variable.type == 0) {
    if (variable.size == 0 || variable.size > 8 || (variable.size & (variable.size - 1)) != 0)
      return bad_value(image, variable, text, "nothing: its type is not known");
    std::vector<uint8_t> bytes(variable.size);
    TRY(encoder.number(text, bytes, false, true));
    return bytes;
  }
  std::vector<uint8_t> bytes(image.types()[variable.type].size);
  TRY(encoder.encode(variable.type, text, bytes));
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
