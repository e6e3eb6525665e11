// SPDX-License-Identifier: MIT
//
// Objects that programs keep in their stack: when they exist, what overwrites them, what dies with
// them, and that loops over them end.
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

void expect(const Outcome& o, std::string_view code) { EXPECT_EQ(o.code, code) << o.message; }

// An iterator at r10 - 8 over [0, 10).
const std::string kNew = "r1 = r10\n r1 += -8\n r2 = 0\n r3 = 10\n call bpf_iter_num_new\n";
const std::string kNext = "r1 = r10\n r1 += -8\n call bpf_iter_num_next\n";
const std::string kDestroy = "r1 = r10\n r1 += -8\n call bpf_iter_num_destroy\n";
const std::string kExit = "r0 = 0\n exit";

TEST(Iterators, are_made_asked_and_destroyed) {
  const Outcome o = check("r6 = 0\n" + kNew + "again:\n" + kNext + "if r0 == 0 goto done\n" +
                          "r1 = *(u32 *)(r0 +0)\n r6 += r1\n goto again\ndone:\n" + kDestroy + kExit);
  expect(o, "");
  EXPECT_LT(o.facts.steps, 200u);
}

TEST(Iterators, must_be_destroyed_once_on_every_path) {
  expect(check(kNew + kExit), "ref-leak");
  expect(check(kNew + kNext + "if r0 == 0 goto out\n" + kDestroy + "out:\n" + kExit), "ref-leak");
  expect(check(kNew + kDestroy + kDestroy + kExit), "iterator");
  expect(check(kNew + kDestroy + kNext + kExit), "iterator");
  expect(check(kNew + kDestroy + kNew + kDestroy + kExit), "");
}

TEST(Iterators, are_not_made_twice_at_one_place) {
  expect(check(kNew + kNew + kDestroy + kExit), "iterator");
}

TEST(Iterators, do_not_exist_before_they_are_made) {
  expect(check(kNext + kExit), "iterator");
  expect(check("r1 = 0\n *(u64 *)(r10 -8) = r1\n" + kNext + kExit), "iterator");
  // On one path only.
  expect(check("r6 = *(u64 *)(r1 +0)\n if r6 == 0 goto without\n" + kNew + "without:\n" + kNext + kDestroy +
               kExit),
         "iterator");
}

TEST(Iterators, lie_at_one_aligned_place_of_the_stack) {
  expect(check("r1 = r10\n r1 += -12\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "helper-arg");
  expect(check("r1 = r10\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "stack-oob");
  expect(check("r1 = value .bss 0\n r2 = 0\n r3 = 1\n call bpf_iter_num_new\n" + kExit, {bss(64)}),
         "helper-arg");
  expect(check("r6 = *(u64 *)(r1 +0)\n r6 &= 8\n r1 = r10\n r1 += -16\n r1 += r6\n r2 = 0\n r3 = 1\n"
               "call bpf_iter_num_new\n" + kExit),
         "helper-arg");
}

TEST(Iterators, have_bytes_that_nothing_else_touches) {
  expect(check(kNew + "r1 = *(u64 *)(r10 -8)\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = *(u8 *)(r10 -3)\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = 1\n *(u8 *)(r10 -1) = r1\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = 1\n lock *(u64 *)(r10 -8) += r1\n" + kDestroy + kExit), "stack-object");
  expect(check(kNew + "r1 = r10\n r1 += -16\n r2 = 16\n call bpf_get_current_comm\n" + kDestroy + kExit),
         "stack-object");
}

TEST(Iterators, lend_four_bytes_that_are_only_read_and_end_with_them) {
  const std::string first = kNew + kNext + "if r0 == 0 goto done\n r6 = r0\n";
  const std::string last = "done:\n" + kDestroy + kExit;
  expect(check(first + "r1 = *(u32 *)(r6 +0)\n" + last), "");
  expect(check(first + "r1 = *(u64 *)(r6 +0)\n" + last), "memory-oob");
  expect(check(first + "r1 = 0\n *(u32 *)(r6 +0) = r1\n" + last), "rodata-write");
  expect(check("r6 = 0\n" + kNew + kNext + "if r0 == 0 goto done\n r6 = r0\n" + kDestroy +
               "r1 = *(u32 *)(r6 +0)\n" + kExit + "\ndone:\n" + kDestroy + kExit),
         "ref-released");
  expect(check(kNew + kNext + "r1 = *(u32 *)(r0 +0)\n" + kDestroy + kExit), "not-pointer");
}

TEST(Iterators, may_be_in_the_frame_of_a_caller) {
  expect(check(kNew + "r1 = r10\n r1 += -8\n call count\n" + kDestroy + kExit +
               "\nfunc count:\n r6 = r1\nagain:\n r1 = r6\n call bpf_iter_num_next\n if r0 == 0 goto done\n"
               "goto again\ndone:\n r0 = 0\n exit"),
         "");
  expect(check("call make\n r0 = 0\n exit\nfunc make:\n" + kNew + kExit), "ref-leak");
}

// Anything that the loop changes may have any value after some number of elements.
TEST(Iterators, have_any_number_of_elements) {
  const std::string loop = "r6 = 0\n" + kNew + "again:\n" + kNext + "if r0 == 0 goto done\n r6 += 1\n goto again\n"
                           "done:\n" + kDestroy;
  expect(check(loop + "r1 = value .bss 0\n r1 += r6\n r0 = *(u8 *)(r1 +0)\n exit", {bss(64)}), "map-value-oob");
  expect(check(loop + "if r6 > 63 goto out\n r1 = value .bss 0\n r1 += r6\n r0 = *(u8 *)(r1 +0)\n exit\nout:\n" +
                   kExit,
               {bss(64)}),
         "");
}

// An iterator pays for its own elements, not for a loop in which it is made anew.
TEST(Iterators, excuse_only_loops_that_they_bound) {
  const std::string inner = kNew + "r6 = 0\nagain:\n" + kNext + "if r0 == 0 goto done\n r6 = 1\n goto again\n"
                            "done:\n" + kDestroy;
  expect(check("outer:\n" + inner + "if r6 != 0 goto outer\n" + kExit), "endless-loop");
  expect(check("r7 = 5\nouter:\n" + inner + "r7 += -1\n if r7 != 0 goto outer\n" + kExit), "");
  expect(check(kNew + "again:\n" + kNext + "if r0 == 0 goto done\nspin:\n goto spin\ndone:\n" + kDestroy + kExit),
         "endless-loop");
}

TEST(Callbacks, excuse_only_loops_that_they_bound) {
  expect(check("outer:\n r1 = 0\n *(u64 *)(r10 -8) = r1\n r1 = 5\n r2 = func body\n r3 = r10\n r3 += -8\n r4 = 0\n"
               "call bpf_loop\n r1 = *(u64 *)(r10 -8)\n if r1 != 0 goto outer\n r0 = 0\n exit\n"
               "func body:\n r3 = 1\n *(u64 *)(r2 +0) = r3\n r0 = 0\n exit"),
         "endless-loop");
}

TEST(MayGoto, excuses_only_loops_of_its_own_call) {
  expect(check("outer:\n call inner\n if r0 != 0 goto outer\n r0 = 0\n exit\n"
               "func inner:\n r6 = 0\nagain:\n may_goto done\n r6 = 1\n goto again\ndone:\n r0 = r6\n exit"),
         "endless-loop");
}

TEST(Kfuncs, take_numbers_for_numbers) {
  expect(check("r1 = r10\n r1 += -8\n r2 = r10\n r3 = 1\n call bpf_iter_num_new\n" + kExit), "helper-arg");
  expect(check("r1 = r10\n r1 += -8\n r2 = 0\n call bpf_iter_num_new\n" + kExit), "uninit-reg");
}

} // namespace
} // namespace bpfaot::verifier::test
