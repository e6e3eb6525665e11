// SPDX-License-Identifier: MIT
//
// Dynptrs: bounds at every edge. What programs see of them is compared with the kernel in
// tests/system/dynptrs-*.test.
#include "minirt/dynptr.h"
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>

using namespace bpfaot::test;

namespace {
int64_t number(uint64_t x) { return static_cast<int64_t>(x); }

struct Piece {
  uint8_t bytes[64] = {};
  rt_dynptr dynptr{};
  bpfaot_env env{};
  explicit Piece(uint32_t size) { __bpfaot_rt_dynptr_from_mem(&env, bytes, size, 0, &dynptr); }
};
} // namespace

TEST(Dynptr, reads_and_writes_stay_inside_at_every_offset_and_size) {
  Piece piece(40);
  uint8_t buffer[64] = {};
  for (uint32_t offset = 0; offset < 64; ++offset)
    for (uint32_t size = 0; size < 64; ++size) {
      const int64_t wanted = offset + size <= 40 ? 0 : -E2BIG;
      EXPECT_EQ(number(__bpfaot_rt_dynptr_read(&piece.env, buffer, size, &piece.dynptr, offset, 0)), wanted);
      EXPECT_EQ(number(__bpfaot_rt_dynptr_write(&piece.env, &piece.dynptr, offset, buffer, size, 0)), wanted);
      void* data = __bpfaot_rt_dynptr_data(&piece.env, &piece.dynptr, offset, size);
      EXPECT_EQ(data, wanted == 0 ? piece.bytes + offset : nullptr);
    }
}

TEST(Dynptr, sums_that_wrap_around_are_outside) {
  Piece piece(40);
  uint8_t buffer[64] = {};
  for (const uint32_t offset : {0xffffffffu, 0xfffffff8u, 0x80000000u})
    for (const uint32_t size : {1u, 8u, 40u})
      EXPECT_EQ(number(__bpfaot_rt_dynptr_read(&piece.env, buffer, size, &piece.dynptr, offset, 0)), -E2BIG);
  EXPECT_EQ(__bpfaot_rt_dynptr_data(&piece.env, &piece.dynptr, 8, 0xfffffffcu), nullptr);
}

TEST(Dynptr, adjusting_only_shrinks) {
  Piece piece(40);
  EXPECT_EQ(number(__bpfaot_rt_dynptr_adjust(&piece.env, &piece.dynptr, 10, 41)), -ERANGE);
  EXPECT_EQ(number(__bpfaot_rt_dynptr_adjust(&piece.env, &piece.dynptr, 41, 41)), -ERANGE);
  EXPECT_EQ(number(__bpfaot_rt_dynptr_adjust(&piece.env, &piece.dynptr, 5, 4)), -EINVAL);
  EXPECT_EQ(__bpfaot_rt_dynptr_adjust(&piece.env, &piece.dynptr, 10, 30), 0u);
  EXPECT_EQ(__bpfaot_rt_dynptr_size(&piece.env, &piece.dynptr), 20u);
  EXPECT_EQ(number(__bpfaot_rt_dynptr_adjust(&piece.env, &piece.dynptr, 0, 21)), -ERANGE);
  EXPECT_EQ(__bpfaot_rt_dynptr_data(&piece.env, &piece.dynptr, 0, 20), piece.bytes + 10);
  EXPECT_EQ(__bpfaot_rt_dynptr_data(&piece.env, &piece.dynptr, 1, 20), nullptr);
}

TEST(Dynptr, of_nothing_gives_nothing) {
  Piece piece(1 << 24);
  uint8_t byte = 0;
  EXPECT_EQ(__bpfaot_rt_dynptr_is_null(&piece.env, &piece.dynptr), 1u);
  EXPECT_EQ(__bpfaot_rt_dynptr_size(&piece.env, &piece.dynptr), static_cast<uint32_t>(-EINVAL));
  EXPECT_EQ(__bpfaot_rt_dynptr_data(&piece.env, &piece.dynptr, 0, 0), nullptr);
  EXPECT_EQ(number(__bpfaot_rt_dynptr_read(&piece.env, &byte, 0, &piece.dynptr, 0, 0)), -EINVAL);
  rt_dynptr clone{piece.bytes, 9, 9};
  EXPECT_EQ(number(__bpfaot_rt_dynptr_clone(&piece.env, &piece.dynptr, &clone)), -EINVAL);
  EXPECT_EQ(__bpfaot_rt_dynptr_is_null(&piece.env, &clone), 1u);
}
