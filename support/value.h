// SPDX-License-Identifier: MIT
//
// --set NAME=VALUE: text to the bytes of a value, by its type. Both tools take the same texts; each
// describes types in its own way.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bpfaot {

struct Setting { // --set NAME=VALUE
  std::string name, value;
};
// [usage]
Result<Setting> parse_setting(std::string_view text, std::string_view option = "--set");

struct ValueType {
  enum class Kind : uint8_t { integer, enumeration, floating, array, pointer, other };
  Kind kind = Kind::other;
  bool is_signed = false, is_bool = false, is_char = false; // integer, enumeration
  uint32_t size = 0;                                        // bytes
  uint32_t element = 0, count = 0;                          // array
};

class ValueTypes {
public:
  virtual ValueType type(uint32_t id) const = 0;
  virtual std::vector<std::pair<std::string_view, int64_t>> enumerators(uint32_t id) const = 0;

protected:
  ~ValueTypes() = default;
};

// Fills `out`, which has the size of the type: integers (also 0x..., enumerators, true and false),
// characters, text into char arrays (with its zero), lists `1,2,3` into other arrays. Otherwise
// says what the type needs.
std::optional<std::string> parse_value(const ValueTypes& types, uint32_t type,
                                       std::string_view text, std::span<uint8_t> out);
// A number into `out`, of 1 to 8 bytes, signed or not: nothing is known of the type.
std::optional<std::string> parse_untyped_value(std::string_view text, std::span<uint8_t> out);

} // namespace bpfaot
