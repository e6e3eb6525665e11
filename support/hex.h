// SPDX-License-Identifier: MIT
//
// Numbers and bytes as hexadecimal text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace bpfaot {

std::string hex(uint64_t value);                      // 0x7f12
std::string hex_digits(std::span<const uint8_t> bytes); // 554889e5
std::string hex_bytes(std::span<const uint8_t> bytes);  // 55 48 89 e5

} // namespace bpfaot
