// SPDX-License-Identifier: MIT
//
// SHA-256 (FIPS 180-4). Own code because boards carry the loader without any shared library.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace bpfaot {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
public:
  // `plain` leaves the processor's SHA instructions unused.
  explicit Sha256(bool plain = false);
  void update(std::span<const uint8_t> bytes);
  Digest finish();

private:
  void block(const uint8_t* bytes);
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> buffer_;
  uint64_t length_ = 0; // bytes
  bool instructions_;
};

Digest sha256(std::span<const uint8_t> bytes);

} // namespace bpfaot
