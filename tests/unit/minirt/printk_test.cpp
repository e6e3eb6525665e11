// SPDX-License-Identifier: MIT
//
// trace_printk and trace_vprintk: texts, refused formats, the record.
#include "tests/unit/minirt/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
class Printk : public ::testing::Test {
protected:
  Printk() : ring((reset_runtime(), 27u), 0, 0, 1 << 16) {
    ring.desc(4);
    runtime().printk_map = 4;
  }
  std::string print(const std::string& format, std::vector<uint64_t> args) {
    bpfaot_env env{};
    int64_t length = static_cast<int64_t>(__bpfaot_rt_trace_vprintk(
        &env, format.c_str(), format.size() + 1, args.data(), args.size() * 8));
    auto records = consume_all(ring);
    if (length < 0) {
      EXPECT_TRUE(records.empty());
      return "error " + std::to_string(-length);
    }
    if (records.size() != 1)
      return "no record";
    auto* record = reinterpret_cast<const bpfaot_printk_record*>(records[0].data());
    EXPECT_EQ(record->text_size, static_cast<uint64_t>(length));
    return record->text;
  }
  TestMap ring;
};
uint64_t address(const void* p) {
  return reinterpret_cast<uint64_t>(p);
}
} // namespace

TEST_F(Printk, numbers) {
  EXPECT_EQ(print("plain", {}), "plain");
  EXPECT_EQ(print("%d %i", {static_cast<uint64_t>(-1), 0x1ffffffff}), "-1 -1");
  EXPECT_EQ(print("%u %x %X", {UINT64_MAX, 0xdeadbeef12345678, 0xabc}), "4294967295 12345678 ABC");
  EXPECT_EQ(print("%ld %lu %lx", {UINT64_MAX, UINT64_MAX, UINT64_MAX}),
            "-1 18446744073709551615 ffffffffffffffff");
  EXPECT_EQ(print("%lld %llu %llx", {1ull << 63, 1, 255}), "-9223372036854775808 1 ff");
  EXPECT_EQ(print("100%% %d%%", {5}), "100% 5%");
}

TEST_F(Printk, flags_and_widths) {
  EXPECT_EQ(print("[%5d][%-5d][%05d]", {42, 42, 42}), "[   42][42   ][00042]");
  EXPECT_EQ(print("[%+d][% d][%05d]", {7, 7, static_cast<uint64_t>(-7)}), "[+7][ 7][-0007]");
  EXPECT_EQ(print("[%08llx][%-8x]", {0xab, 0xcd}), "[000000ab][cd      ]");
}

TEST_F(Printk, strings_and_characters) {
  static const char text[] = "text";
  EXPECT_EQ(print("%s|%pks|%pus|%c", {address(text), address(text), address(text), 'z'}),
            "text|text|text|z");
  EXPECT_EQ(print("[%6s][%-6s]", {address(text), address(text)}), "[  text][text  ]");
  EXPECT_EQ(print("[%s]", {1}), "[]") << "unreadable";
}

TEST_F(Printk, pointers_and_addresses) {
  EXPECT_EQ(print("%p", {0xabcdef}), "0000000000abcdef");
  EXPECT_EQ(print("%px.", {0xabcdef}), "0000000000abcdef.");
  EXPECT_EQ(print("%pS", {0xabcdef}), "0xabcdef");
  const unsigned char ip[16] = {127, 0, 0, 1};
  EXPECT_EQ(print("%pI4 %pi4", {address(ip), address(ip)}), "127.0.0.1 127.000.000.001");
  EXPECT_EQ(print("%pI6", {address(ip)}), "7f00:0001:0000:0000:0000:0000:0000:0000");
}

TEST_F(Printk, formats_that_the_kernel_refuses) {
  for (const char* format :
       {"%o", "%f", "%hd", "%", "%l", "%llld", "%5", "%pz", "%.3d", "\x01", "%d %d"})
    EXPECT_EQ(print(format, {1}), "error 22") << format;
  bpfaot_env env{};
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_trace_printk(&env, "abc", 3, 0, 0, 0)), -EINVAL)
      << "no NUL";
  uint64_t args[16] = {};
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_trace_vprintk(&env, "a", 2, args, 7)), -EINVAL);
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_trace_vprintk(&env, "a", 2, args, 13 * 8)), -EINVAL);
  EXPECT_EQ(static_cast<int64_t>(__bpfaot_rt_trace_vprintk(&env, "a", 2, nullptr, 8)), -EINVAL);
}

TEST_F(Printk, a_record_says_who_and_when) {
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_trace_printk(&env, "%d %d %d", 9, 1, 2, 3), 5u);
  auto records = consume_all(ring);
  ASSERT_EQ(records.size(), 1u);
  auto* record = reinterpret_cast<const bpfaot_printk_record*>(records[0].data());
  EXPECT_STREQ(record->text, "1 2 3");
  EXPECT_EQ(record->tgid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(record->tid, static_cast<uint32_t>(gettid()));
  EXPECT_GT(record->time_ns, 0u);
  EXPECT_EQ(records[0].size(), sizeof *record + 6);
}

TEST_F(Printk, long_texts_are_cut) {
  std::string text(250, 'y');
  EXPECT_EQ(
      print("%s%s%s%s%s", {address(text.c_str()), address(text.c_str()), address(text.c_str()),
                           address(text.c_str()), address(text.c_str())}),
      std::string(1023, 'y'));
}

TEST_F(Printk, without_a_ring_nothing_is_written) {
  runtime().printk_map = BPFAOT_NONE;
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_trace_printk(&env, "abc", 4, 0, 0, 0), 3u);
  EXPECT_TRUE(consume_all(ring).empty());
}
