// SPDX-License-Identifier: MIT
//
// Loops that end by may_goto, calls through registers, packet loads that may end the program.
#include "unit/verifier/assemble.h"

#include "bpf/object.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

TEST(MayGoto, ends_a_loop_that_nothing_else_ends) {
  const Outcome o = check(R"(
    r0 = 0
    again:
    may_goto out
    r0 += 1
    goto again
    out:
    exit)");
  EXPECT_TRUE(o.accepted) << o.message;
  // The number of iterations is the run's business.
  EXPECT_LT(o.facts.steps, 200u);
  EXPECT_EQ(o.facts.insns[4].before[0].range.umax, UINT64_MAX);
}

TEST(MayGoto, does_not_excuse_an_endless_loop_inside_of_it) {
  const Outcome o = check(R"(
    r0 = 0
    again:
    may_goto out
    inner:
    goto inner
    out:
    exit)");
  EXPECT_EQ(o.code, "endless-loop");
}

TEST(MayGoto, of_a_call_that_is_over_does_not_excuse_a_loop_around_it) {
  // Each call of f has a new budget and returns 0, until it is spent: never.
  EXPECT_EQ(check(R"(
    again:
    call f
    if r0 == 1 goto out
    goto again
    out:
    exit
    func f:
    r0 = 0
    may_goto spent
    exit
    spent:
    r0 = 1
    exit)")
                .code,
            "endless-loop");
}

TEST(MayGoto, on_the_way_back_is_not_enough) {
  EXPECT_EQ(check(R"(
    r0 = 0
    again:
    may_goto next
    next:
    goto again)")
                .code,
            "endless-loop");
}

TEST(MayGoto, may_leave_at_once) {
  // r6 is written in the first iteration only.
  const Outcome o = check(R"(
    may_goto out
    r6 = 1
    out:
    r0 = r6
    exit)");
  EXPECT_EQ(o.code, "uninit-reg");
  EXPECT_EQ(o.slot, 2u);
}

TEST(MayGoto, keeps_a_bound_that_the_loop_compares_with) {
  const char* text = R"(
    r6 = value .bss 0
    r1 = 0
    again:
    if r1 >= 64 goto out
    may_goto out
    r2 = r6
    r2 += r1
    r3 = 1
    *(u8 *)(r2 +0) = r3
    r1 += 1
    goto again
    out:
    r0 = 0
    exit)";
  const Outcome o = check(text, {bss(64)});
  EXPECT_TRUE(o.accepted) << o.message;
  EXPECT_EQ(check(text, {bss(63)}).code, "map-value-oob");
}

TEST(MayGoto, forgets_what_only_the_first_iterations_have) {
  // Nothing bounds the number of iterations, and so not how far r6 moves.
  const Outcome o = check(R"(
    r6 = value .bss 0
    r1 = 0
    again:
    may_goto out
    r6 += r1
    r1 += 1
    goto again
    out:
    r2 = *(u8 *)(r6 +0)
    r0 = r1
    exit)",
                          {bss(64)});
  EXPECT_EQ(o.code, "map-value-oob") << o.message;
}

TEST(MayGoto, widens_spilled_numbers_too) {
  const Outcome o = check(R"(
    r1 = 0
    *(u64 *)(r10 -8) = r1
    again:
    may_goto out
    r1 = *(u64 *)(r10 -8)
    r1 += 1
    *(u64 *)(r10 -8) = r1
    goto again
    out:
    r0 = *(u64 *)(r10 -8)
    exit)");
  EXPECT_TRUE(o.accepted) << o.message;
  EXPECT_LT(o.facts.steps, 200u);
}

TEST(MayGoto, is_walked_exactly_where_widening_loses_too_much) {
  // The relation of r1 and r2 bounds r1, which intervals alone do not see.
  const Outcome o = check(R"(
    r6 = value .bss 0
    r1 = 0
    r2 = 0
    again:
    if r2 >= 32 goto out
    may_goto out
    r3 = r6
    r3 += r1
    r4 = 1
    *(u8 *)(r3 +0) = r4
    r1 += 2
    r2 += 1
    goto again
    out:
    r0 = 0
    exit)",
                          {bss(64)});
  EXPECT_TRUE(o.accepted) << o.message;
}

TEST(MayGoto, keeps_types_apart) {
  // The second iteration reads through a number.
  const Outcome o = check(R"(
    r6 = r10
    r6 += -8
    again:
    may_goto out
    *(u64 *)(r6 +0) = 1
    r6 = 5
    goto again
    out:
    r0 = 0
    exit)");
  EXPECT_EQ(o.code, "not-pointer");
}

TEST(MayGoto, works_in_functions) {
  const Outcome o = check(R"(
    r6 = 0
    again:
    may_goto out
    r1 = r6
    call f
    r6 += r0
    goto again
    out:
    r0 = r6
    exit
    func f:
    r0 = r1
    more:
    may_goto done
    r0 += 3
    goto more
    done:
    exit)");
  EXPECT_TRUE(o.accepted) << o.message;
}

TEST(CallThroughRegister, reaches_a_helper_by_number) {
  const Outcome o = check("r2 = 5\n callx r2\n exit");
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_EQ(o.facts.helpers, std::vector<int32_t>{5});
  EXPECT_EQ(check("r2 = 5\n callx r2\n r0 = r2\n exit").code, "uninit-reg");
  EXPECT_EQ(check("r2 = 5000\n callx r2\n exit").code, "helper-invalid");
  EXPECT_EQ(check("r2 = -1\n callx r2\n exit").code, "helper-invalid");
  EXPECT_EQ(check("callx r2\n exit").code, "uninit-reg");
}

TEST(CallThroughRegister, needs_one_target) {
  EXPECT_EQ(check("r2 = *(u64 *)(r1 +0)\n callx r2\n exit").code, "unsupported-callx");
  EXPECT_EQ(check("r2 = r10\n callx r2\n exit").code, "unsupported-callx");
  EXPECT_EQ(check(R"(
    r3 = *(u64 *)(r1 +0)
    r2 = 5
    if r3 == 0 goto call
    r2 = 8
    call:
    callx r2
    exit)")
                .code,
            "unsupported-callx");
}

TEST(CallThroughRegister, reaches_a_function) {
  const char* text = R"(
    r1 = 7
    r2 = func twice
    callx r2
    exit
    func twice:
    r0 = r1
    r0 += r1
    exit)";
  const Outcome o = check(text);
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_TRUE(o.facts.insns[3].before[0].range.is_constant());
  EXPECT_EQ(o.facts.insns[3].before[0].range.umin, 14u);
}

TEST(CallThroughRegister, may_not_recurse) {
  EXPECT_EQ(check(R"(
    call f
    exit
    func f:
    r2 = func f
    callx r2
    exit)")
                .code,
            "call-depth");
}

std::string packet_code(std::string_view text, bpf::ProgramKind kind = bpf::ProgramKind::tc) {
  auto program = std::make_shared<bpf::Program>(*assemble(text, {ring_buffer("ring")}));
  program->kind.kind = kind;
  const auto verified = verify(program, pt_regs_options());
  return verified ? "" : std::string(code_text(verified.error().code));
}

TEST(PacketLoad, needs_the_context_in_r6) {
  EXPECT_EQ(packet_code("r6 = r1\n r0 = *(u16 *)skb[12]\n exit"), "");
  EXPECT_EQ(packet_code("r6 = r1\n r7 = 4\n r0 = *(u32 *)skb[r7 + 12]\n exit"), "");
  EXPECT_EQ(packet_code("r0 = *(u16 *)skb[12]\n exit"), "uninit-reg");
  EXPECT_EQ(packet_code("r6 = 0\n r0 = *(u16 *)skb[12]\n exit"), "ctx-access");
  EXPECT_EQ(packet_code("r6 = r1\n r6 += 8\n r0 = *(u16 *)skb[12]\n exit"), "ctx-access");
  EXPECT_EQ(packet_code("r6 = r1\n r0 = *(u16 *)skb[r7 + 12]\n exit"), "uninit-reg");
}

TEST(PacketLoad, clobbers_what_a_call_does) {
  EXPECT_EQ(packet_code("r6 = r1\n r2 = 1\n r0 = *(u8 *)skb[0]\n r0 = r2\n exit"), "uninit-reg");
  EXPECT_EQ(packet_code("r6 = r1\n r7 = 1\n r0 = *(u8 *)skb[0]\n r0 = r7\n exit"), "");
  EXPECT_EQ(packet_code("r6 = r1\n r0 = *(u8 *)skb[0]\n r1 = r10\n r1 += r0\n r1 += -255\n"
                        "r0 = *(u8 *)(r1 -1)\n exit"),
            "");
}

TEST(PacketLoad, belongs_into_packet_programs) {
  const char* text = "r6 = r1\n r0 = *(u16 *)skb[12]\n exit";
  EXPECT_EQ(packet_code(text, bpf::ProgramKind::socket_filter), "");
  EXPECT_EQ(packet_code(text, bpf::ProgramKind::xdp), "unsupported-packet-load");
  EXPECT_EQ(packet_code(text, bpf::ProgramKind::probe), "unsupported-packet-load");
  EXPECT_EQ(packet_code("call f\n exit\n func f:\n r6 = r1\n r0 = *(u16 *)skb[12]\n exit"),
            "unsupported-packet-load");
}

TEST(PacketLoad, may_end_the_program) {
  EXPECT_EQ(packet_code(R"(
    r6 = r1
    r1 = map ring
    r2 = 8
    r3 = 0
    call bpf_ringbuf_reserve
    if r0 == 0 goto out
    r7 = r0
    r0 = *(u8 *)skb[0]
    r1 = r7
    r2 = 0
    call bpf_ringbuf_submit
    out:
    r0 = 0
    exit)"),
            "ref-leak");
}

// 2^14 combinations of numbers that nothing depends on.
std::string combinations(const std::string& at_the_end) {
  std::string text = "r6 = r1\n r7 = 0\n";
  for (int i = 0; i < 14; ++i) {
    const std::string label = "l" + std::to_string(i);
    text += "r1 = *(u64 *)(r6 +" + std::to_string(8 * i) + ")\n if r1 == 0 goto " + label +
            "\n r7 |= " + std::to_string(1 << i) + "\n " + label + ":\n *(u64 *)(r10 -" +
            std::to_string(8 * (i + 1)) + ") = r7\n";
  }
  return text + at_the_end;
}

TEST(Demand, numbers_that_decide_nothing_do_not_multiply_paths) {
  Options options = pt_regs_options();
  options.step_limit = 20000;
  std::string sum = "r0 = r7\n";
  for (int i = 0; i < 14; ++i)
    sum += "r1 = *(u64 *)(r10 -" + std::to_string(8 * (i + 1)) + ")\n r0 += r1\n";
  const Outcome o = check(combinations(sum + "exit"), {}, options);
  ASSERT_TRUE(o.accepted) << o.message;
  // What is known about such a number is less, and never wrong.
  for (const InsnFacts& insn : o.facts.insns)
    if (insn.reached && insn.before[7].kind == Kind::scalar)
      EXPECT_LE(insn.before[7].range.umin, 0u);
}

TEST(Demand, an_address_still_needs_its_bound) {
  Options options = pt_regs_options();
  options.step_limit = 20000;
  const std::string use = "r1 = value .bss 0\n r1 += r7\n r0 = *(u8 *)(r1 +0)\n exit";
  EXPECT_EQ(check(combinations(use), {bss(64)}, options).code, "map-value-oob");
  // As an index, the number decides, and each one is looked at.
  EXPECT_EQ(check(combinations(use), {bss(1 << 14)}, options).code, "step-limit");
}

} // namespace
} // namespace bpfaot::verifier::test
