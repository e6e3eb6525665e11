// SPDX-License-Identifier: MIT
#include "support/value.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace bpfaot {
namespace {

using Needed = std::optional<std::string>; // nothing: the value fits

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

Needed number(std::string_view text, std::span<uint8_t> out, bool is_signed, bool is_either) {
  const auto parsed = parse_number(text);
  const auto size = static_cast<uint32_t>(out.size());
  if (!parsed)
    return "a number";
  if (!fits(*parsed, size, is_signed) && !(is_either && fits(*parsed, size, true)))
    return std::string(is_signed ? "a signed" : "an unsigned") + " number of " +
           std::to_string(size * 8) + " bits";
  store(out, *parsed);
  return {};
}

class Encoder {
public:
  explicit Encoder(const ValueTypes& types) : types_(types) {}

  Needed encode(uint32_t id, std::string_view text, std::span<uint8_t> out) {
    const ValueType type = types_.type(id);
    switch (type.kind) {
    case ValueType::Kind::integer: return integer(type, text, out);
    case ValueType::Kind::enumeration: return enumerator(id, type, text, out);
    case ValueType::Kind::floating: return floating(type, text, out);
    case ValueType::Kind::array: return array(type, text, out);
    case ValueType::Kind::pointer: return "nothing: it is a pointer";
    case ValueType::Kind::other: break;
    }
    return "nothing: only scalars and arrays can be set";
  }

private:
  Needed integer(const ValueType& type, std::string_view text, std::span<uint8_t> out) {
    if (type.is_bool) {
      const bool is_true = text == "true" || text == "1" || text == "yes";
      if (!is_true && text != "false" && text != "0" && text != "no")
        return Needed("true or false");
      store(out, {is_true, false});
      return {};
    }
    if (type.is_char && text.size() == 1 && !std::isdigit(text[0])) {
      store(out, {static_cast<uint8_t>(text[0]), false});
      return {};
    }
    return number(text, out, type.is_signed, false);
  }

  Needed enumerator(uint32_t id, const ValueType& type, std::string_view text,
                    std::span<uint8_t> out) {
    std::string names;
    for (const auto& [name, value] : types_.enumerators(id)) {
      if (name == text) {
        const auto bits = static_cast<uint64_t>(value);
        store(out, value < 0 ? Number{0 - bits, true} : Number{bits, false});
        return {};
      }
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    if (!parse_number(text))
      return Needed("one of " + names);
    return number(text, out, type.is_signed, false);
  }

  Needed floating(const ValueType& type, std::string_view text, std::span<uint8_t> out) {
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != 0 || (type.size != 4 && type.size != 8))
      return Needed("a floating-point number");
    const auto narrow = static_cast<float>(value);
    std::memcpy(out.data(), type.size == 4 ? static_cast<const void*>(&narrow) : &value, type.size);
    return {};
  }

  Needed array(const ValueType& type, std::string_view text, std::span<uint8_t> out) {
    const ValueType element = types_.type(type.element);
    if (element.kind == ValueType::Kind::integer && element.size == 1 && element.is_char) {
      if (text.size() >= out.size())
        return Needed("at most " + std::to_string(out.empty() ? 0 : out.size() - 1) +
                      " characters");
      std::fill(out.begin(), out.end(), 0);
      std::copy(text.begin(), text.end(), out.begin());
      return {};
    }
    std::fill(out.begin(), out.end(), 0);
    for (uint32_t i = 0; !text.empty(); ++i) {
      if (i >= type.count)
        return Needed("at most " + std::to_string(type.count) + " elements");
      const size_t comma = text.find(',');
      if (Needed needed = encode(type.element, text.substr(0, comma),
                                 out.subspan(uint64_t{i} * element.size, element.size)))
        return needed;
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return {};
  }

  const ValueTypes& types_;
};

} // namespace

Result<Setting> parse_setting(std::string_view text, std::string_view option) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return fail(Code::kUsage, std::string(option) + " " + std::string(text) + ": the form is " +
                                  std::string(option) + " NAME=VALUE");
  return Setting{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

std::optional<std::string> parse_value(const ValueTypes& types, uint32_t type,
                                       std::string_view text, std::span<uint8_t> out) {
  return Encoder(types).encode(type, text, out);
}

std::optional<std::string> parse_untyped_value(std::string_view text, std::span<uint8_t> out) {
  if (out.empty() || out.size() > 8 || (out.size() & (out.size() - 1)) != 0)
    return "nothing: its type is not known";
  return number(text, out, false, true);
}

} // namespace bpfaot
