// SPDX-License-Identifier: MIT
//
// Little-endian numbers out of bytes that nobody has checked yet.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace bpfaot::bpf {

// [offset, offset + size) of `bytes`, nothing when it is not inside.
inline std::optional<std::span<const uint8_t>> slice(std::span<const uint8_t> bytes,
                                                     uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset)
    return std::nullopt;
  return bytes.subspan(offset, size);
}

// A record at `offset`, copied: input has no alignment.
template <class T> std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  const auto at = slice(bytes, offset, sizeof(T));
  if (!at)
    return std::nullopt;
  T value;
  std::memcpy(&value, at->data(), sizeof value);
  return value;
}

} // namespace bpfaot::bpf
