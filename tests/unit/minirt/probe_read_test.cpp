// SPDX-License-Identifier: MIT
//
// Reading memory that may be missing: page borders, holes, strings, forbidden ranges.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>

using namespace bpfaot::test;

namespace {
struct PageThenHole { // one page, and nothing behind it
  char* page;
  PageThenHole() {
    page = static_cast<char*>(
        mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(page + 4096, 4096);
    std::memset(page, 'p', 4096);
  }
  ~PageThenHole() { munmap(page, 4096); }
  uint64_t at(uint64_t offset) const { return reinterpret_cast<uint64_t>(page) + offset; }
};
int64_t read_mem(void* to, uint64_t size, uint64_t from) {
  bpfaot_env env{};
  return static_cast<int64_t>(__bpfaot_rt_probe_read_user(&env, to, size, from));
}
int64_t read_str(void* to, uint64_t size, uint64_t from) {
  bpfaot_env env{};
  return static_cast<int64_t>(__bpfaot_rt_probe_read_user_str(&env, to, size, from));
}
} // namespace

TEST(ProbeRead, copies_what_is_there) {
  reset_runtime();
  PageThenHole memory;
  char out[16];
  EXPECT_EQ(read_mem(out, 16, memory.at(4080)), 0);
  EXPECT_EQ(std::string(out, 16), std::string(16, 'p'));
  EXPECT_EQ(read_mem(out, 0, 0), 0);
}

TEST(ProbeRead, a_partly_missing_range_fails_and_zeroes_all) {
  reset_runtime();
  PageThenHole memory;
  char out[17];
  std::memset(out, 'x', sizeof out);
  EXPECT_EQ(read_mem(out, 16, memory.at(4081)), -EFAULT);
  EXPECT_EQ(std::string(out, 17), std::string(16, '\0') + "x");
}

TEST(ProbeRead, by_copy_from_user_is_the_same) {
  reset_runtime();
  PageThenHole memory;
  bpfaot_env env{};
  char out[16] = {};
  EXPECT_EQ(__bpfaot_rt_copy_from_user(&env, out, 16, memory.at(4080)), 0u);
  EXPECT_EQ(std::string(out, 16), std::string(16, 'p'));
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_copy_from_user(&env, out, 16, memory.at(4081))), -EFAULT);
  EXPECT_EQ(std::string(out, 16), std::string(16, '\0'));
}

TEST(ProbeRead, null_wrapping_and_kernel_addresses_fail) {
  reset_runtime();
  for (uint64_t bad :
       {uint64_t{0}, uint64_t{8}, uint64_t{4095}, UINT64_MAX, UINT64_MAX - 7,
        uint64_t{0xffff800000000000}, uint64_t{0x0000800000000000}, uint64_t{0x1234567800000000}}) {
    uint64_t out = 1;
    EXPECT_EQ(read_mem(&out, 8, bad), -EFAULT) << std::hex << bad;
    EXPECT_EQ(out, 0u);
    EXPECT_EQ(read_str(&out, 8, bad), -EFAULT) << std::hex << bad;
  }
}

TEST(ProbeRead, own_stack_and_map_memory_need_no_system_call_and_give_the_same) {
  reset_runtime();
  TestMap map(2, 4, 64, 4);
  map.desc(0);
  std::memcpy(map.view.data, "in a map", 9);
  char local[] = "on the stack", out[32];
  EXPECT_EQ(read_str(out, 32, reinterpret_cast<uint64_t>(map.view.data)), 9);
  EXPECT_STREQ(out, "in a map");
  EXPECT_EQ(read_mem(out, sizeof local, reinterpret_cast<uint64_t>(local)), 0);
  EXPECT_STREQ(out, local);
}

TEST(ProbeReadStr, a_string_that_ends_right_before_a_hole_is_read) {
  reset_runtime();
  PageThenHole memory;
  std::memcpy(memory.page + 4096 - 6, "hello", 6);
  char out[64];
  EXPECT_EQ(read_str(out, sizeof out, memory.at(4096 - 6)), 6);
  EXPECT_STREQ(out, "hello");
}

TEST(ProbeReadStr, a_string_that_runs_into_a_hole_fails_and_zeroes_all) {
  reset_runtime();
  PageThenHole memory;
  char out[16];
  std::memset(out, 'x', sizeof out);
  EXPECT_EQ(read_str(out, 16, memory.at(4090)), -EFAULT);
  EXPECT_EQ(std::string(out, 16), std::string(16, '\0'));
  EXPECT_EQ(read_str(out, 6, memory.at(4090)), 6) << "cut before the hole";
  EXPECT_EQ(std::string(out, 6), std::string("ppppp\0", 6));
}

TEST(ProbeReadStr, length_counts_the_terminator_and_long_strings_are_cut) {
  reset_runtime();
  static const char text[] = "0123456789";
  uint64_t from = reinterpret_cast<uint64_t>(text);
  char out[16];
  EXPECT_EQ(read_str(out, 16, from), 11);
  EXPECT_EQ(read_str(out, 11, from), 11);
  EXPECT_STREQ(out, text);
  EXPECT_EQ(read_str(out, 5, from), 5);
  EXPECT_STREQ(out, "0123");
  EXPECT_EQ(read_str(out, 1, from), 1);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(read_str(out, 0, from), 0);
}

TEST(ProbeReadStr, a_string_over_several_pages) {
  reset_runtime();
  auto* page = static_cast<char*>(
      mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::memset(page, 'q', 2 * 4096 + 100);
  std::vector<char> out(3 * 4096);
  EXPECT_EQ(read_str(out.data(), out.size(), reinterpret_cast<uint64_t>(page) + 50), 2 * 4096 + 51);
  EXPECT_EQ(std::string(out.data()), std::string(2 * 4096 + 50, 'q'));
  munmap(page, 3 * 4096);
}
