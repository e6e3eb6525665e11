// SPDX-License-Identifier: MIT
#include "support/hex.h"

#include <gtest/gtest.h>

namespace bpfaot {
namespace {

TEST(Hex, numbers_and_bytes_are_lowercase) {
  const uint8_t bytes[] = {0x00, 0xab, 0x0f};
  EXPECT_EQ(hex(0), "0x0");
  EXPECT_EQ(hex(UINT64_MAX), "0xffffffffffffffff");
  EXPECT_EQ(hex_digits(bytes), "00ab0f");
  EXPECT_EQ(hex_bytes(bytes), "00 ab 0f");
  EXPECT_EQ(hex_bytes({}), "");
}

} // namespace
} // namespace bpfaot
