// SPDX-License-Identifier: MIT
//
// Callbacks: what they get, what they may return, and what their caller knows afterwards.
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

void expect(const Outcome& o, std::string_view code, uint32_t slot) {
  EXPECT_EQ(o.code, code) << o.message;
  if (!code.empty()) {
    EXPECT_EQ(o.slot, slot) << o.message;
  }
}

// bpf_loop(COUNT, callback, r10 - 16, 0) with both words of the context set to 0; what follows sees
// r0 and the stack.
std::string loop(const char* count, const char* after, const char* callback) {
  return std::string("r1 = 0\n *(u64 *)(r10 -8) = r1\n *(u64 *)(r10 -16) = r1\n r1 = ") + count +
         "\n r2 = func body\n r3 = r10\n r3 += -16\n r4 = 0\n call bpf_loop\n" + after +
         "\nfunc body:\n" + callback;
}

TEST(Callbacks, get_an_unknown_index_and_their_context) {
  expect(check(loop("10", "r0 = 0\n exit", "r3 = *(u64 *)(r2 +0)\n r3 += r1\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit")),
         "", 0);
  expect(check(loop("10", "r0 = 0\n exit", "r0 = r3\n exit")), "uninit-reg", 12);
  expect(check(loop("10", "r0 = 0\n exit", "r0 = *(u8 *)(r1 +0)\n exit")), "not-pointer", 12);
}

TEST(Callbacks, return_0_or_1) {
  expect(check(loop("10", "r0 = 0\n exit", "r0 = 1\n exit")), "", 0);
  expect(check(loop("10", "r0 = 0\n exit", "r0 = 2\n exit")), "callback", 13);
  expect(check(loop("10", "r0 = 0\n exit", "r0 = r1\n exit")), "callback", 13);
  expect(check(loop("10", "r0 = 0\n exit", "r0 = r1\n r0 &= 1\n exit")), "", 0);
  expect(check(loop("10", "r0 = 0\n exit", "exit")), "uninit-reg", 12);
}

TEST(Callbacks, may_run_any_number_of_times) {
  // Not at all: the word is still 0. Once: 64, beyond the map's value.
  const char* after = "r1 = *(u64 *)(r10 -16)\n r2 = value .bss 0\n r2 += r1\n r0 = *(u8 *)(r2 +0)\n exit";
  expect(check(loop("1", after, "r3 = 64\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit"), {bss(64)}), "map-value-oob", 14);
  expect(check(loop("1", after, "r3 = 63\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit"), {bss(64)}), "", 0);
  // Safe the first time only.
  expect(check(loop("5", "r0 = 0\n exit",
                    "r3 = *(u64 *)(r2 +0)\n r4 = value .bss 0\n r4 += r3\n r5 = *(u8 *)(r4 +0)\n r3 = 99\n"
                    "*(u64 *)(r2 +0) = r3\n r0 = 0\n exit"),
               {bss(64)}),
         "map-value-oob", 16);
}

TEST(Callbacks, that_never_run_are_not_looked_at) {
  const Outcome o = check(loop("0", "r0 = 0\n exit", "r0 = *(u8 *)(r1 +0)\n exit"));
  EXPECT_TRUE(o.accepted) << o.message;
}

TEST(Callbacks, are_bounded_by_a_small_count_that_widening_would_lose) {
  const char* body = "r3 = *(u64 *)(r2 +0)\n r4 = value .bss 0\n r4 += r3\n r5 = *(u8 *)(r4 +0)\n r3 += 1\n"
                     "*(u64 *)(r2 +0) = r3\n r0 = 0\n exit";
  expect(check(loop("64", "r0 = 0\n exit", body), {bss(64)}), "", 0);
  expect(check(loop("65", "r0 = 0\n exit", body), {bss(64)}), "map-value-oob", 16);
}

// Two ways of different length through the callback: a state after one call of the longer is that
// after two of the shorter, but one more call may follow.
TEST(Callbacks, are_not_covered_by_states_with_fewer_calls_left) {
  const char* body = "r6 = *(u64 *)(r2 +0)\n r4 = value .bss 0\n r4 += r6\n r5 = *(u8 *)(r4 +0)\n r6 += 1\n"
                     "if r1 == 0 goto longer\n *(u64 *)(r2 +0) = r6\n r0 = 0\n exit\n"
                     "longer:\n r6 += 1\n *(u64 *)(r2 +0) = r6\n r0 = 0\n exit";
  expect(check(loop("3", "r0 = 0\n exit", body), {bss(5)}), "", 0);
  expect(check(loop("3", "r0 = 0\n exit", body), {bss(4)}), "map-value-oob", 16);
}

TEST(Callbacks, with_millions_of_iterations_are_walked_in_few_steps) {
  const Outcome o = check(loop("8000000", "r0 = 0\n exit",
                               "r3 = *(u64 *)(r2 +0)\n r3 += 1\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit"));
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_LT(o.facts.steps, 2000u);
}

TEST(Callbacks, do_not_excuse_an_endless_loop_around_them) {
  const Outcome o = check("r6 = 0\n again:\n r1 = 4\n r2 = func body\n r3 = 0\n r4 = 0\n call bpf_loop\n"
                          "if r6 == 0 goto again\n r0 = 0\n exit\n func body:\n r0 = 0\n exit");
  EXPECT_EQ(o.code, "endless-loop") << o.message;
}

TEST(Callbacks, keep_no_record) {
  const std::string text = loop("3", "r0 = 0\n exit",
                                "r1 = map ring\n r2 = 8\n r3 = 0\n call bpf_ringbuf_reserve\n r0 = 0\n exit");
  EXPECT_EQ(check(text, {ring_buffer("ring")}).code, "ref-leak");
}

TEST(Callbacks, of_maps_get_key_and_value) {
  const auto each = [](const char* body) {
    return std::string("r1 = map h\n r2 = func body\n r3 = 0\n r4 = 0\n call bpf_for_each_map_elem\n r0 = 0\n exit\n"
                       "func body:\n") + body;
  };
  expect(check(each("r1 = *(u64 *)(r2 +0)\n r1 = *(u64 *)(r3 +8)\n *(u64 *)(r3 +0) = r1\n r0 = 0\n exit"),
               {hash_map("h", 8, 16)}),
         "", 0);
  expect(check(each("r1 = *(u64 *)(r2 +8)\n r0 = 0\n exit"), {hash_map("h", 8, 16)}), "memory-oob", 9);
  expect(check(each("r1 = *(u64 *)(r3 +16)\n r0 = 0\n exit"), {hash_map("h", 8, 16)}), "map-value-oob", 9);
  expect(check(each("r1 = 0\n *(u64 *)(r2 +0) = r1\n r0 = 0\n exit"), {hash_map("h", 8, 16)}), "rodata-write", 10);
  expect(check(each("r0 = 0\n exit"), {ring_buffer("h")}), "helper-arg", 6);
}

// The key is the helper's copy, which is gone when the helper returns.
TEST(Callbacks, leave_no_address_of_a_key) {
  const auto each = [](const char* body) {
    return std::string("r6 = 0\n *(u64 *)(r10 -8) = r6\n r1 = map h\n r2 = func body\n r3 = r10\n r3 += -8\n r4 = 0\n"
                       "call bpf_for_each_map_elem\n r0 = 0\n r1 = *(u64 *)(r10 -8)\n if r1 == 0 goto out\n"
                       "r0 = *(u64 *)(r1 +0)\n out:\n r0 = 0\n exit\n func body:\n") +
           body + "\n r0 = 0\n exit";
  };
  expect(check(each("*(u64 *)(r4 +0) = r2"), {hash_map("h", 8, 16)}), "stack-escape", 16);
  expect(check(each("*(u64 *)(r10 -8) = r2\n r2 = *(u64 *)(r10 -8)\n r2 = *(u64 *)(r2 +0)"), {hash_map("h", 8, 16)}), "", 0);
  expect(check(each("*(u64 *)(r4 +0) = r3"), {hash_map("h", 8, 16)}), "", 0); // a value stays mapped
}

} // namespace
} // namespace bpfaot::verifier::test
