// SPDX-License-Identifier: MIT
//
// Whole programs: what is accepted, and what is refused with which code at which instruction. One
// file, over 600 lines: it is a table of programs, and a rule is found by reading down it.
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

#define EXPECT_ACCEPTED(outcome)                                                                   \
  do {                                                                                             \
    const Outcome o = (outcome);                                                                   \
    EXPECT_TRUE(o.accepted) << o.message;                                                          \
  } while (false)
#define EXPECT_REFUSED(outcome, expected_code, expected_slot)                                      \
  do {                                                                                             \
    const Outcome o = (outcome);                                                                   \
    EXPECT_EQ(o.code, expected_code) << o.message;                                                 \
    EXPECT_EQ(o.slot, uint32_t{expected_slot}) << o.message;                                       \
  } while (false)

TEST(Registers, must_be_written_before_they_are_read) {
  EXPECT_ACCEPTED(check("r0 = 0\n exit"));
  EXPECT_REFUSED(check("exit"), "uninit-reg", 0);
  EXPECT_REFUSED(check("r0 = r2\n exit"), "uninit-reg", 0);
  EXPECT_REFUSED(check("call bpf_ktime_get_ns\n r0 = r1\n exit"), "uninit-reg", 1);
  EXPECT_ACCEPTED(check("r6 = r1\n call bpf_ktime_get_ns\n r0 = *(u64 *)(r6 +0)\n exit"));
  EXPECT_REFUSED(check("r10 = 1\n r0 = 0\n exit"), "frame-pointer-write", 0);
}

TEST(Registers, are_uninitialised_only_on_the_path_that_skips_the_write) {
  EXPECT_REFUSED(check(R"(
    r1 = *(u64 *)(r1 +0)
    if r1 == 0 goto out
    r0 = 1
    out:
    exit)"),
                 "uninit-reg", 3);
}

TEST(Context, has_aligned_fields_within_its_size) {
  EXPECT_ACCEPTED(check("r0 = *(u64 *)(r1 +112)\n exit"));
  EXPECT_ACCEPTED(check("r0 = *(u32 *)(r1 +164)\n exit"));
  EXPECT_REFUSED(check("r0 = *(u64 *)(r1 +168)\n exit"), "ctx-access", 0);
  EXPECT_REFUSED(check("r0 = *(u64 *)(r1 +4)\n exit"), "ctx-access", 0);
  EXPECT_REFUSED(check("r0 = *(u8 *)(r1 -1)\n exit"), "ctx-access", 0);
  EXPECT_REFUSED(check("r0 = 0\n *(u64 *)(r1 +0) = r0\n exit"), "ctx-access", 1);
  EXPECT_REFUSED(check("r1 += 8\n r0 = *(u64 *)(r1 +0)\n exit"), "ctx-access", 1);
}

TEST(Context, reads_and_escapes_are_facts) {
  const Outcome o = check("r0 = *(u64 *)(r1 +112)\n exit");
  ASSERT_EQ(o.facts.ctx_reads.size(), 1u);
  EXPECT_EQ(o.facts.ctx_reads[0].value, 0u);
  EXPECT_FALSE(o.facts.ctx_escapes);
  const Outcome escaped = check(R"(
    r3 = r1
    r3 += 112
    r1 = r10
    r1 += -8
    r2 = 8
    call bpf_probe_read_kernel
    r0 = 0
    exit)");
  ASSERT_TRUE(escaped.accepted) << escaped.message;
  ASSERT_EQ(escaped.facts.raw_ctx.size(), 1u);
  EXPECT_EQ(escaped.facts.raw_ctx[0].value, 5u);
  EXPECT_FALSE(escaped.facts.ctx_escapes) << "the lowering sees the address";
}

TEST(Context, is_read_as_memory_where_it_is_the_address_on_one_path) {
  const Outcome o = check(R"(
    r6 = *(u64 *)(r1 +112)
    r3 = r1
    if r6 == 0 goto call
    r3 = r6
  call:
    r1 = r10
    r1 += -8
    r2 = 8
    call bpf_probe_read_kernel
    r0 = 0
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  ASSERT_EQ(o.facts.raw_ctx.size(), 1u);
  EXPECT_EQ(o.facts.raw_ctx[0].value, 7u);
}

TEST(Context, escapes_as_a_number) {
  const Outcome o = check("r0 = r1\n exit");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_TRUE(o.facts.ctx_escapes);
  EXPECT_TRUE(o.facts.raw_ctx.empty());
}

TEST(Stack, keeps_what_is_spilled) {
  EXPECT_ACCEPTED(
      check("*(u64 *)(r10 -8) = r1\n r2 = *(u64 *)(r10 -8)\n r0 = *(u64 *)(r2 +0)\n exit"));
  // A byte over the pointer makes it a number.
  EXPECT_REFUSED(check(R"(
    *(u64 *)(r10 -8) = r1
    r3 = 0
    *(u8 *)(r10 -5) = r3
    r2 = *(u64 *)(r10 -8)
    r0 = *(u64 *)(r2 +0)
    exit)"),
                 "not-pointer", 4);
  EXPECT_REFUSED(check("*(u32 *)(r10 -8) = r1\n r0 = 0\n exit"), "partial-spill", 0);
  EXPECT_REFUSED(check("r0 = 0\n *(u64 *)(r10 -4) = r0\n exit"), "stack-oob", 1);
  EXPECT_REFUSED(check("r0 = 0\n *(u64 *)(r10 -12) = r0\n exit"), "misaligned-stack", 1);
  EXPECT_REFUSED(check("r0 = 0\n *(u64 *)(r10 -520) = r0\n exit"), "stack-oob", 1);
  EXPECT_REFUSED(check("r0 = 0\n *(u64 *)(r10 +0) = r0\n exit"), "stack-oob", 1);
}

TEST(Stack, unwritten_bytes_may_be_read_and_are_reported) {
  const Outcome o = check("*(u32 *)(r10 -8) = 1\n r0 = *(u64 *)(r10 -8)\n exit");
  ASSERT_TRUE(o.accepted) << o.message;
  ASSERT_EQ(o.facts.functions[0].unwritten.size(), 1u);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].begin, -4);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].end, 0);
  EXPECT_EQ(o.facts.functions[0].stack_depth, 8u);
}

TEST(Stack, bytes_written_on_one_path_only_are_reported_even_when_that_path_is_pruned) {
  const Outcome o = check(R"(
    r6 = *(u64 *)(r1 +0)
    r7 = *(u64 *)(r1 +8)
    if r6 == 0 goto skip
    *(u64 *)(r10 -8) = r7
    skip:
    r6 = 1
    if r7 == 1 goto a
    r6 = 1
    a:
    if r7 == 2 goto b
    r6 = 1
    b:
    if r7 == 3 goto c
    r6 = 1
    c:
    if r7 == 4 goto d
    r6 = 1
    d:
    r0 = *(u64 *)(r10 -8)
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  ASSERT_EQ(o.facts.functions[0].unwritten.size(), 1u);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].begin, -8);
}

TEST(Context, escapes_through_the_stack_on_a_path_that_could_be_pruned) {
  std::string text = R"(
    r6 = *(u64 *)(r1 +0)
    r7 = r1
    r8 = 5
    *(u64 *)(r10 -8) = r8
    if r6 == 0 goto join
    *(u64 *)(r10 -8) = r7
    join:
    *(u8 *)(r10 -16) = 0
    r7 = 0
  )";
  for (int i = 0; i < 6; ++i) {
    const std::string label = "l" + std::to_string(i);
    text += "if r6 == " + std::to_string(i + 10) + " goto " + label +
            "\n r0 = 0\n r0 = 0\n r0 = 0\n " + label + ":\n r0 = 0\n";
  }
  const Outcome o = check(text + R"(
    r3 = r10
    r3 += -8
    r1 = r10
    r1 += -32
    r2 = 8
    call bpf_probe_read_kernel
    r0 = 0
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_TRUE(o.facts.ctx_escapes);
}

TEST(Stack, narrow_spills_keep_bounds) {
  EXPECT_ACCEPTED(check(R"(
    r2 = *(u32 *)(r1 +0)
    r2 &= 7
    *(u32 *)(r10 -8) = r2
    r3 = *(u32 *)(r10 -8)
    r4 = r10
    r4 += -16
    r4 += r3
    r0 = 0
    *(u8 *)(r4 +0) = r0
    exit)"));
}

TEST(Stack, a_check_after_the_spill_holds_for_what_was_spilled) {
  EXPECT_ACCEPTED(check(R"(
    r2 = *(u64 *)(r1 +0)
    *(u64 *)(r10 -8) = r2
    r0 = 0
    if r2 > 15 goto out
    r3 = *(u64 *)(r10 -8)
    r4 = r10
    r4 += -32
    r4 += r3
    *(u8 *)(r4 +0) = r0
    out:
    exit)"));
}

TEST(Stack, variable_writes_destroy_pointers_in_reach) {
  EXPECT_REFUSED(check(R"(
    r2 = *(u64 *)(r1 +0)
    r2 &= 15
    *(u64 *)(r10 -8) = r1
    r3 = r10
    r3 += -16
    r3 += r2
    r4 = 0
    *(u8 *)(r3 +0) = r4
    r1 = *(u64 *)(r10 -8)
    r0 = *(u64 *)(r1 +0)
    exit)"),
                 "not-pointer", 9);
}

constexpr const char* kLookup = R"(
    r6 = r1
    r1 = *(u64 *)(r6 +0)
    *(u64 *)(r10 -8) = r1
    r2 = r10
    r2 += -8
    r1 = map counts
    call bpf_map_lookup_elem
)"; // slots 0 to 7

TEST(Maps, values_need_a_null_check) {
  const auto maps = [] { return std::vector{hash_map("counts", 8, 16)}; };
  const std::string lookup = kLookup;
  EXPECT_REFUSED(check(lookup + "r0 = *(u64 *)(r0 +0)\n exit", maps()), "null-deref", 8);
  EXPECT_ACCEPTED(
      check(lookup + "if r0 == 0 goto out\n r0 = *(u64 *)(r0 +8)\n out:\n exit", maps()));
  EXPECT_REFUSED(check(lookup + "if r0 == 0 goto out\n r0 = *(u64 *)(r0 +9)\n out:\n exit", maps()),
                 "map-value-oob", 9);
  EXPECT_REFUSED(check(lookup + "if r0 != 0 goto out\n r0 = *(u64 *)(r0 +8)\n out:\n exit", maps()),
                 "not-pointer", 9);
  EXPECT_REFUSED(
      check(lookup + "r0 += 8\n if r0 == 0 goto out\n r0 = *(u64 *)(r0 +0)\n out:\n exit", maps()),
      "null-deref", 8);
  // Copies and spills share the check.
  EXPECT_ACCEPTED(check(lookup + R"(
    *(u64 *)(r10 -16) = r0
    r7 = r0
    if r7 == 0 goto out
    r1 = *(u64 *)(r10 -16)
    r0 = *(u64 *)(r1 +0)
    out:
    r0 = 0
    exit)",
                        maps()));
}

TEST(Maps, variable_offsets_are_bounded) {
  const auto maps = [] { return std::vector{hash_map("counts", 8, 64)}; };
  const std::string lookup = std::string(kLookup) + "if r0 == 0 goto out\n r1 = *(u64 *)(r6 +8)\n";
  const std::string tail = "r0 += r1\n r0 = *(u8 *)(r0 +0)\n out:\n exit";
  EXPECT_ACCEPTED(check(lookup + "r1 &= 63\n" + tail, maps()));
  EXPECT_REFUSED(check(lookup + "r1 &= 64\n" + tail, maps()), "map-value-oob", 12);
  EXPECT_ACCEPTED(check(lookup + "if r1 > 63 goto out\n" + tail, maps()));
  EXPECT_REFUSED(check(lookup + "if r1 > 64 goto out\n" + tail, maps()), "map-value-oob", 12);
  EXPECT_REFUSED(check(lookup + "if r1 s> 63 goto out\n" + tail, maps()), "ptr-arith", 11);
  EXPECT_ACCEPTED(check(lookup + "w1 = w1\n if w1 > 63 goto out\n" + tail, maps()));
  // A bound on a copy bounds the original.
  EXPECT_ACCEPTED(check(lookup + "r2 = r1\n if r2 > 63 goto out\n" + tail, maps()));
  EXPECT_REFUSED(check(lookup + "r2 = r1\n r2 += r2\n if r2 > 63 goto out\n" + tail, maps()),
                 "ptr-arith", 13);
  EXPECT_ACCEPTED(check(
      lookup + "r2 = r1\n r2 += 10\n if r2 > 40 goto out\n if r2 < 10 goto out\n" + tail, maps()));
}

TEST(Maps, an_array_lookup_with_a_constant_index_in_range_cannot_fail) {
  const char* text = R"(
    r1 = %d
    *(u32 *)(r10 -4) = r1
    r2 = r10
    r2 += -4
    r1 = map table
    call bpf_map_lookup_elem
    r0 = *(u64 *)(r0 +0)
    exit)";
  char buffer[512];
  snprintf(buffer, sizeof buffer, text, 3);
  EXPECT_REFUSED(check(buffer, {array_map("table", 8, 3)}), "null-deref", 7);
  snprintf(buffer, sizeof buffer, R"(
    r1 = 2
    *(u32 *)(r10 -8) = r1
    r2 = r10
    r2 += -8
    r1 = map table
    call bpf_map_lookup_elem
    r0 = *(u64 *)(r0 +0)
    exit)");
  EXPECT_ACCEPTED(check(buffer, {array_map("table", 8, 3)}));
}

TEST(Maps, constants_cannot_be_written) {
  EXPECT_REFUSED(
      check("r1 = value .rodata 0\n r0 = 0\n *(u8 *)(r1 +0) = r0\n exit", {rodata("abcdefgh")}),
      "rodata-write", 3);
  EXPECT_ACCEPTED(
      check("r1 = value .rodata 4\n r0 = *(u32 *)(r1 +0)\n exit", {rodata("abcdefgh")}));
  EXPECT_REFUSED(check("r1 = value .rodata 5\n r0 = *(u32 *)(r1 +0)\n exit", {rodata("abcdefgh")}),
                 "map-value-oob", 2);
  // Nor by a helper.
  EXPECT_REFUSED(
      check("r1 = value .rodata 0\n r2 = 8\n r3 = 0\n call bpf_probe_read_user\n r0 = 0\n exit",
            {rodata("abcdefgh")}),
      "rodata-write", 4);
  EXPECT_ACCEPTED(check("r1 = value .bss 0\n r0 = 0\n *(u64 *)(r1 +8) = r0\n exit", {bss(16)}));
}

TEST(Maps, constants_may_be_changed_by_the_loader_and_are_not_folded) {
  // The object says 0; `--set` may make it anything, so the guarded code is reachable.
  EXPECT_REFUSED(check(R"(
    r1 = value .rodata 0
    r1 = *(u64 *)(r1 +0)
    r0 = 0
    if r1 == 0 goto out
    r0 = *(u64 *)(r0 +0)
    out:
    exit)",
                       {rodata(std::string(8, '\0'))}),
                 "not-pointer", 5);
}

TEST(Pointers, allow_little_arithmetic) {
  EXPECT_REFUSED(check("w1 += 8\n r0 = 0\n exit"), "ptr-arith", 0);
  EXPECT_REFUSED(check("r1 &= -8\n r0 = 0\n exit"), "ptr-arith", 0);
  EXPECT_REFUSED(check("r1 += r10\n r0 = 0\n exit"), "ptr-arith", 0);
  EXPECT_ACCEPTED(check("r1 -= r10\n r0 = r1\n exit"));
  EXPECT_REFUSED(check("r2 = r10\n r2 -= 8\n r0 = 0\n exit"), "ptr-arith", 1);
  EXPECT_REFUSED(check("r2 = *(u64 *)(r1 +0)\n r3 = r10\n r3 += r2\n r0 = 0\n exit"), "ptr-arith",
                 2);
  EXPECT_REFUSED(check("w2 = w1\n r0 = *(u8 *)(r2 +0)\n exit"), "not-pointer", 1);
}

TEST(Arithmetic, refuses_impossible_constants) {
  EXPECT_REFUSED(check("r0 = 1\n r0 /= 0\n exit"), "div-by-zero-imm", 1);
  EXPECT_REFUSED(check("r0 = 1\n w0 %= 0\n exit"), "div-by-zero-imm", 1);
  EXPECT_REFUSED(check("r0 = 1\n r0 <<= 64\n exit"), "shift-imm", 1);
  EXPECT_REFUSED(check("r0 = 1\n w0 >>= 32\n exit"), "shift-imm", 1);
  EXPECT_ACCEPTED(check("r0 = 1\n r2 = 0\n r0 /= r2\n exit"));
}

TEST(Branches, that_cannot_be_taken_are_not_walked) {
  const Outcome o = check(R"(
    r2 = *(u32 *)(r1 +0)
    r2 &= 7
    r0 = 0
    if r2 > 7 goto dead
    exit
    dead:
    r0 = *(u64 *)(r0 +0)
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_FALSE(o.facts.insns[3].branch_taken);
  EXPECT_TRUE(o.facts.insns[3].branch_not_taken);
  EXPECT_FALSE(o.facts.insns[5].reached);
}

// Every check must still be made behind a condition that always holds: nothing becomes "dead" by
// mistake.
TEST(Branches, an_access_behind_a_true_condition_is_checked) {
  for (const char* guard : {"if r2 <= 7 goto bad", "if r2 != 8 goto bad", "if r2 s>= 0 goto bad",
                            "if w2 < 8 goto bad", "if w2 s> -1 goto bad"})
    EXPECT_REFUSED(check(std::string("r2 = *(u32 *)(r1 +0)\n r2 &= 7\n r0 = 0\n") + guard +
                         "\n exit\n bad:\n r0 = *(u64 *)(r0 +0)\n exit"),
                   "not-pointer", 5);
}

TEST(Loops, with_a_bound_are_walked) {
  const Outcome o = check(R"(
    r0 = 0
    r6 = 0
    again:
    r0 += r6
    r6 += 1
    if r6 < 100 goto again
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_GT(o.facts.steps, 300u);
  EXPECT_EQ(o.facts.insns[2].before[6].range.umax, 99u);
}

TEST(Loops, without_a_bound_are_refused) {
  EXPECT_REFUSED(check("r0 = 0\n again:\n goto again"), "endless-loop", 1);
  EXPECT_EQ(check(R"(
    r6 = 0
    again:
    call bpf_get_prandom_u32
    if r0 != 0 goto again
    exit)")
                .code,
            "endless-loop");
  Options options = pt_regs_options();
  options.step_limit = 5000;
  EXPECT_EQ(check("r0 = 0\n again:\n r0 += 1\n if r0 != 0 goto again\n exit", {}, options).code,
            "step-limit");
}

TEST(Pruning, keeps_branches_in_series_cheap) {
  std::string text = "r6 = *(u64 *)(r1 +0)\n r0 = 0\n";
  for (int i = 0; i < 60; ++i) {
    const std::string label = "l" + std::to_string(i);
    text += "if r6 == " + std::to_string(i) + " goto " + label + "\n r1 = " + std::to_string(i) +
            "\n " + label + ":\n r1 = 0\n";
  }
  const Outcome o = check(text + "exit");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_LT(o.facts.steps, 20000u);
}

TEST(Calls, walk_static_functions_in_context) {
  EXPECT_ACCEPTED(check(R"(
    r2 = r10
    r2 += -8
    *(u64 *)(r10 -8) = r1
    call helper
    exit
    func helper:
    r1 = *(u64 *)(r2 +0)
    r0 = *(u64 *)(r1 +8)
    exit)"));
  EXPECT_REFUSED(check(R"(
    r2 = 5
    call helper
    exit
    func helper:
    r0 = *(u64 *)(r2 +0)
    exit)"),
                 "not-pointer", 3);
  EXPECT_REFUSED(check("call f\n exit\n func f:\n call f\n exit"), "call-depth", 2);
  EXPECT_REFUSED(check("call f\n exit\n func f:\n r0 = r10\n exit"), "stack-escape", 3);
  EXPECT_REFUSED(check(R"(
    r1 = r10
    r1 += -8
    call f
    r0 = 0
    exit
    func f:
    *(u64 *)(r1 +0) = r10
    r0 = 0
    exit)"),
                 "stack-escape", 5);
}

TEST(Calls, sum_their_stacks) {
  const char* text = R"(
    *(u64 *)(r10 -256) = 1
    call f
    exit
    func f:
    *(u64 *)(r10 -%d) = 1
    r0 = 0
    exit)";
  char buffer[256];
  snprintf(buffer, sizeof buffer, text, 256);
  EXPECT_ACCEPTED(check(buffer));
  snprintf(buffer, sizeof buffer, text, 264);
  EXPECT_EQ(check(buffer).code, "stack-limit");
}

TEST(Calls, what_a_callee_reads_of_its_caller_is_live) {
  // The store to r10-8 is read only through a pointer in another function; both paths must be told
  // apart there.
  EXPECT_EQ(check(R"(
    r6 = *(u64 *)(r1 +0)
    r7 = 0
    *(u64 *)(r10 -8) = r1
    if r6 == 0 goto keep
    *(u64 *)(r10 -8) = r7
    r7 = 0
    r7 = 0
    r7 = 0
    keep:
    r1 = r10
    r1 += -8
    *(u64 *)(r10 -16) = r1
    r1 = *(u64 *)(r10 -16)
    call f
    exit
    func f:
    r1 = *(u64 *)(r1 +0)
    r0 = *(u64 *)(r1 +0)
    exit)")
                .code,
            "not-pointer");
}

TEST(RingBuffer, records_are_released_exactly_once) {
  const auto maps = [] { return std::vector{ring_buffer("events")}; };
  const std::string reserve = R"(
    r1 = map events
    r2 = 16
    r3 = 0
    call bpf_ringbuf_reserve
    )"; // slots 0 to 4
  const std::string submit = "r1 = r0\n r2 = 0\n call bpf_ringbuf_submit\n";
  const std::string end = "out:\n r0 = 0\n exit";
  const Outcome good =
      check(reserve + "if r0 == 0 goto out\n *(u64 *)(r0 +8) = 1\n" + submit + end, maps());
  ASSERT_TRUE(good.accepted) << good.message;
  ASSERT_EQ(good.facts.outputs.size(), 1u);
  EXPECT_EQ(good.facts.outputs[0].size_max, 16u);
  EXPECT_EQ(good.facts.outputs[0].map.value, 0u);
  EXPECT_EQ(check(reserve + "r0 = 0\n exit", maps()).code, "ref-leak");
  EXPECT_EQ(check(reserve + "if r0 == 0 goto out\n out:\n r0 = 0\n exit", maps()).code, "ref-leak");
  EXPECT_EQ(check(reserve + submit + end, maps()).code, "null-deref");
  EXPECT_EQ(check(reserve + "if r0 == 0 goto out\n r6 = r0\n" + submit +
                      "r1 = r6\n r2 = 0\n call bpf_ringbuf_discard\n" + end,
                  maps())
                .code,
            "ref-released");
  EXPECT_EQ(
      check(reserve + "if r0 == 0 goto out\n r6 = r0\n" + submit + "*(u64 *)(r6 +0) = 1\n" + end,
            maps())
          .code,
      "ref-released");
  EXPECT_EQ(
      check(reserve + "if r0 == 0 goto out\n *(u64 *)(r0 +16) = 1\n" + submit + end, maps()).code,
      "memory-oob");
  EXPECT_EQ(check(reserve + "if r0 == 0 goto out\n r0 += 8\n" + submit + end, maps()).code,
            "helper-arg");
}

TEST(Helpers, check_their_arguments) {
  EXPECT_EQ(check("call unknown#999999\n r0 = 0\n exit").code, "helper-invalid");
  EXPECT_EQ(check("call bpf_timer_init#169\n r0 = 0\n exit").code, "helper-unknown");
  EXPECT_EQ(
      check("r1 = r10\n r1 += -8\n r2 = 16\n r3 = 0\n call bpf_probe_read_user\n r0 = 0\n exit")
          .code,
      "stack-oob");
  EXPECT_EQ(check("r2 = *(u64 *)(r1 +0)\n r1 = r10\n r1 += -8\n r3 = 0\n call "
                  "bpf_probe_read_user\n r0 = 0\n exit")
                .code,
            "helper-size");
  EXPECT_EQ(check("r1 = 0\n r2 = 0\n call bpf_map_lookup_elem\n r0 = 0\n exit").code, "helper-arg");
  EXPECT_EQ(
      check("r1 = map events\n r2 = r10\n r2 += -8\n call bpf_map_lookup_elem\n r0 = 0\n exit",
            {ring_buffer("events")})
          .code,
      "helper-arg");
  EXPECT_EQ(check("r1 = map m\n r2 = r10\n r2 += -4\n call bpf_map_lookup_elem\n r0 = 0\n exit",
                  {hash_map("m", 8, 8)})
                .code,
            "stack-oob");
}

TEST(Helpers, queues_take_and_give_values_of_their_size) {
  const std::vector<bpf::MapDef> maps = {queue_map("q", 12), hash_map("h", 8, 8)};
  const std::string call = "r1 = map q\n r2 = r10\n r2 += -16\n r3 = 0\n call bpf_map_";
  const std::string out = "r0 = 0\n exit";
  EXPECT_ACCEPTED(check("r4 = 0\n *(u64 *)(r10 -16) = r4\n *(u64 *)(r10 -8) = r4\n" + call +
                            "push_elem\n" + out,
                        maps));
  // What pop fills was not written before and may be read afterwards, without a report.
  const Outcome popped =
      check(call + "pop_elem\n r0 = *(u64 *)(r10 -16)\n exit", maps);
  EXPECT_ACCEPTED(popped);
  EXPECT_ACCEPTED(check(call + "peek_elem\n r0 = *(u32 *)(r10 -8)\n exit", maps));
  for (const char* helper : {"push_elem", "pop_elem", "peek_elem"}) {
    const std::string name(helper);
    EXPECT_EQ(check("r1 = map q\n r2 = r10\n r2 += -8\n r3 = 0\n call bpf_map_" + name + "\n" + out,
                    maps)
                  .code,
              "stack-oob")
        << name;
    EXPECT_EQ(check("r1 = map h\n r2 = r10\n r2 += -16\n r3 = 0\n call bpf_map_" + name + "\n" + out,
                    maps)
                  .code,
              "helper-arg")
        << name;
    EXPECT_EQ(check("r1 = map q\n r2 = 0\n r3 = 0\n call bpf_map_" + name + "\n" + out, maps).code,
              "helper-arg")
        << name;
  }
  for (const char* helper : {"lookup_elem", "update_elem", "delete_elem"})
    EXPECT_EQ(check("r1 = map q\n r2 = r10\n r2 += -16\n r3 = r2\n r4 = 0\n call bpf_map_" +
                        std::string(helper) + "\n" + out,
                    maps)
                  .code,
              "helper-arg")
        << helper;
}

TEST(Helpers, a_string_read_returns_its_length_or_a_small_error) {
  EXPECT_ACCEPTED(check(R"(
    r3 = *(u64 *)(r1 +0)
    r1 = r10
    r1 += -64
    r2 = 64
    call bpf_probe_read_user_str
    r1 = r0
    r0 = 0
    if r1 s<= 0 goto out
    r2 = r10
    r2 += -65
    r2 += r1
    r0 = *(u8 *)(r2 +0)
    out:
    exit)"));
}

TEST(Helpers, the_tail_behind_a_read_string_counts_as_unwritten) {
  const Outcome o = check(R"(
    r3 = *(u64 *)(r1 +0)
    r1 = r10
    r1 += -16
    r2 = 16
    call bpf_probe_read_user_str
    r0 = *(u64 *)(r10 -8)
    exit)");
  ASSERT_TRUE(o.accepted) << o.message;
  ASSERT_EQ(o.facts.functions[0].unwritten.size(), 1u);
  EXPECT_EQ(o.facts.functions[0].unwritten[0].begin, -8);
}

TEST(Helpers, arguments_that_a_format_does_not_use_may_be_unset) {
  const Outcome o = check("r1 = value .rodata 0\n r2 = 3\n call bpf_trace_printk\n r0 = 0\n exit",
                          {rodata(std::string("hi\0", 3))});
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_EQ(o.facts.insns[2].before[3].kind, Kind::none);
}

TEST(Helpers, constant_formats_are_read) {
  const auto run = [](std::string format) {
    format.push_back('\0');
    const std::string size = std::to_string(format.size());
    return check("r3 = 1\n r4 = 2\n r5 = 3\n r1 = value .rodata 0\n r2 = " + size +
                     "\n call bpf_trace_printk\n r0 = 0\n exit",
                 {rodata(format)});
  };
  EXPECT_ACCEPTED(run("pid %d comm %s addr %llx 100%%\n"));
  EXPECT_EQ(run("%d %d %d %d").code, "printk-format");
  EXPECT_EQ(run("%f").code, "printk-format");
}

TEST(Helpers, constant_texts_are_of_rodata_and_end) {
  const auto compare = [](const char* text, bpf::MapDef map) {
    return check("r4 = *(u64 *)(r1 +0)\n *(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 8\n " + std::string(text) +
                     "\n call bpf_strncmp\n r0 = 0\n exit",
                 {std::move(map)});
  };
  EXPECT_ACCEPTED(compare("r3 = value .rodata 0", rodata(std::string("hi\0", 3))));
  EXPECT_ACCEPTED(compare("r3 = value .rodata 2", rodata(std::string("hi\0", 3))));
  EXPECT_EQ(compare("r3 = value .rodata 0", rodata("hi")).code, "helper-arg");
  EXPECT_EQ(compare("r3 = value .rodata 2", rodata(std::string("h\0i", 3))).code, "helper-arg");
  EXPECT_EQ(compare("r3 = value .bss 0", bss(16)).code, "helper-arg"); // may change meanwhile
  EXPECT_EQ(compare("r3 = r10\n r3 += -8", bss(16)).code, "helper-arg");
  EXPECT_EQ(compare("r3 = 0", bss(16)).code, "helper-arg");
  EXPECT_EQ(compare("r4 &= 1\n r3 = value .rodata 0\n r3 += r4",
                    rodata(std::string("hi\0", 3)))
                .code,
            "helper-arg");
}

TEST(Helpers, numbers_are_parsed_into_aligned_memory) {
  const auto parse = [](const char* to) {
    return check("*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 8\n r3 = 10\n " + std::string(to) +
                     "\n call bpf_strtol\n r0 = *(u64 *)(r10 -16)\n exit",
                 {bss(16)});
  };
  EXPECT_ACCEPTED(parse("r4 = r10\n r4 += -16"));
  EXPECT_TRUE(parse("r4 = r10\n r4 += -16").facts.functions[0].unwritten.empty());
  EXPECT_EQ(parse("r4 = r10\n r4 += -12").code, "helper-arg");
  EXPECT_EQ(parse("r4 = r10\n r4 += -4").code, "stack-oob");
  EXPECT_EQ(parse("r4 = value .bss 4").code, "helper-arg");
  EXPECT_EQ(parse("r4 = 0").code, "helper-arg");
}

TEST(Helpers, formats_of_snprintf_are_read) {
  const auto format = [](std::string text, int bytes, const char* to = "r1 = r10\n r1 += -48\n r2 = 16") {
    text.push_back('\0');
    return check("*(u64 *)(r10 -8) = 1\n *(u64 *)(r10 -16) = 1\n " + std::string(to) +
                     "\n r3 = value .rodata 0\n r4 = r10\n r4 += -16\n r5 = " + std::to_string(bytes) +
                     "\n call bpf_snprintf\n r0 = 0\n exit",
                 {rodata(text)});
  };
  EXPECT_ACCEPTED(format("%d %s", 16));
  EXPECT_ACCEPTED(format("%d %s", 16, "r1 = 0\n r2 = 0"));
  EXPECT_EQ(format("%d %s", 16, "r1 = 0\n r2 = 8").code, "null-deref");
  EXPECT_EQ(format("%d %s", 8).code, "printk-format");
  EXPECT_EQ(format("%d", 12).code, "helper-size");
  EXPECT_EQ(format("%f", 16).code, "printk-format");
  EXPECT_EQ(format(std::string(600, 'x'), 16).code, "printk-format");
}

TEST(Atomics, need_alignment_and_memory) {
  const auto maps = [] { return std::vector{bss(16)}; };
  EXPECT_ACCEPTED(
      check("r1 = value .bss 8\n r2 = 1\n lock *(u64 *)(r1 +0) += r2\n r0 = 0\n exit", maps()));
  EXPECT_EQ(
      check("r1 = value .bss 4\n r2 = 1\n lock *(u64 *)(r1 +0) += r2\n r0 = 0\n exit", maps()).code,
      "misaligned-atomic");
  EXPECT_EQ(check("r2 = 1\n lock *(u64 *)(r1 +0) += r2\n r0 = 0\n exit").code, "atomic-target");
  // A fetch result is any number.
  EXPECT_EQ(check("r2 = 1\n *(u64 *)(r10 -8) = r2\n r3 = 0\n r3 = atomic64_fetch_add((u64 *)(r10 "
                  "-8), r3)\n r4 = r10\n r4 += -16\n "
                  "r4 += r3\n r0 = *(u8 *)(r4 +0)\n exit")
                .code,
            "ptr-arith");
}

TEST(Reports, name_place_value_and_need) {
  const Outcome o = check("r2 = *(u32 *)(r1 +0)\n r2 &= 255\n r1 = value .bss 0\n r1 += r2\n r0 = "
                          "*(u8 *)(r1 +0)\n exit",
                          {bss(64)});
  EXPECT_EQ(o.code, "map-value-oob");
  EXPECT_NE(o.message.find("[0, 256)"), std::string::npos) << o.message;
  EXPECT_NE(o.message.find("[0, 64)"), std::string::npos) << o.message;
  EXPECT_NE(o.message.find("r0 = *(u8 *)(r1 +0)"), std::string::npos) << o.message;
  EXPECT_NE(o.message.find("test.c:5"), std::string::npos) << o.message;
}

TEST(Facts, describe_registers_over_all_paths) {
  const Outcome o = check(std::string(kLookup) + R"(
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 +8)
    out:
    r0 = 0
    exit)",
                          {hash_map("counts", 8, 16)});
  ASSERT_TRUE(o.accepted) << o.message;
  const InsnFacts& branch = o.facts.insns[7];
  EXPECT_EQ(branch.before[0].kind, Kind::map_value);
  EXPECT_TRUE(branch.before[0].maybe_null);
  EXPECT_TRUE(branch.branch_taken && branch.branch_not_taken);
  const InsnFacts& load = o.facts.insns[8];
  EXPECT_EQ(load.before[0].kind, Kind::map_value);
  EXPECT_FALSE(load.before[0].maybe_null);
  EXPECT_EQ(load.before[0].object_size, 16u);
  EXPECT_EQ(load.before[0].align, 8u);
  EXPECT_EQ(load.result.kind, Kind::scalar);
  EXPECT_EQ(o.facts.helpers, std::vector<int32_t>{1});
}

} // namespace
} // namespace bpfaot::verifier::test
