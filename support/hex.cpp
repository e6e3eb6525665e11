// SPDX-License-Identifier: MIT
//
// Hexadecimal text.
#include "support/hex.h"

#include <charconv>

namespace bpfaot {
namespace {

void append_byte(std::string& out, uint8_t byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

} // namespace

std::string hex(uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

std::string hex_digits(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t byte : bytes)
    append_byte(out, byte);
  return out;
}

std::string hex_bytes(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t byte : bytes) {
    if (!out.empty())
      out += ' ';
    append_byte(out, byte);
  }
  return out;
}

} // namespace bpfaot
