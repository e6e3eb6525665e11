// SPDX-License-Identifier: MIT
//
// Tail calls: what comes back, what a caller gets when nothing does, and where there are none.
#include "unit/verifier/assemble.h"

#include "verifier/ctx_layout.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

std::vector<bpf::MapDef> maps() {
  return {prog_array("jump"), ring_buffer("ring"), array_map("array", 8, 4), hash_map("hash", 4, 8)};
}

Outcome check_kind(std::string_view text, bpf::ProgramKind kind, bool sleepable = false) {
  auto program = std::make_shared<bpf::Program>(*assemble(text, maps()));
  program->kind.kind = kind;
  program->kind.sleepable = sleepable;
  Options options = pt_regs_options();
  if (kind == bpf::ProgramKind::xdp)
    options.ctx = ctx_layout(program->kind, "", 0);
  auto verified = verify(program, options);
  Outcome outcome;
  outcome.accepted = verified.has_value();
  if (verified)
    outcome.facts = verified->facts();
  else
    outcome.code = code_text(verified.error().code);
  return outcome;
}

const std::string kCall = "r2 = map jump\n r3 = 1\n call bpf_tail_call\n";

TEST(TailCalls, come_back_with_nothing) {
  EXPECT_TRUE(check(kCall + "r0 = 0\n exit", maps()).accepted);
  EXPECT_EQ(check(kCall + "exit", maps()).code, "uninit-reg") << "r0";
  EXPECT_EQ(check(kCall + "r0 = r1\n exit", maps()).code, "uninit-reg");
  EXPECT_TRUE(check("r6 = r1\n" + kCall + "r1 = r6\n" + kCall + "r0 = 0\n exit", maps()).accepted);
}

TEST(TailCalls, need_the_context_and_a_program_array) {
  EXPECT_EQ(check("r2 = r1\n r1 = map jump\n r3 = 0\n call bpf_tail_call\n r0 = 0\n exit", maps()).code, "helper-arg");
  EXPECT_EQ(check("r1 += 8\n" + kCall + "r0 = 0\n exit", maps()).code, "helper-arg");
  EXPECT_EQ(check("r2 = map array\n r3 = 0\n call bpf_tail_call\n r0 = 0\n exit", maps()).code, "helper-arg");
  EXPECT_EQ(check("r2 = map jump\n call bpf_tail_call\n r0 = 0\n exit", maps()).code, "uninit-reg") << "r3";
  EXPECT_EQ(check("r2 = map jump\n r3 = r2\n call bpf_tail_call\n r0 = 0\n exit", maps()).code, "") << "any value";
}

TEST(TailCalls, are_all_that_a_program_array_is_for) {
  const std::string key = "r2 = r10\n r2 += -4\n *(u32 *)(r10 -4) = 0\n r1 = map jump\n";
  EXPECT_EQ(check(key + "call bpf_map_lookup_elem\n r0 = 0\n exit", maps()).code, "helper-arg");
  EXPECT_EQ(check(key + "r3 = r2\n r4 = 0\n call bpf_map_update_elem\n r0 = 0\n exit", maps()).code, "helper-arg");
  EXPECT_EQ(check(key + "call bpf_map_delete_elem\n r0 = 0\n exit", maps()).code, "helper-arg");
}

TEST(TailCalls, leave_no_record_behind) {
  const std::string reserve = "r6 = r1\n r1 = map ring\n r2 = 8\n r3 = 0\n call bpf_ringbuf_reserve\n"
                              "if r0 == 0 goto out\n r7 = r0\n r1 = r6\n";
  const std::string submit = "r1 = r7\n r2 = 0\n call bpf_ringbuf_submit\n out:\n r0 = 0\n exit\n";
  EXPECT_EQ(check(reserve + kCall + submit, maps()).code, "ref-leak");
  // A function's caller goes on afterwards, with what it holds; what the function held is lost.
  EXPECT_TRUE(check(reserve + "call f\n" + submit + "func f:\n" + kCall + "r0 = 0\n exit", maps()).accepted);
  EXPECT_EQ(check("call f\n r0 = 0\n exit\n func f:\n" + reserve + kCall + submit, maps()).code, "ref-leak");
}

TEST(TailCalls, of_a_function_give_its_caller_a_number) {
  const std::string after = "if r0 == 0 goto null\n r0 = *(u64 *)(r0 +0)\n null:\n r0 = 0\n exit\n";
  const std::string find = "r1 = map array\n r2 = r10\n r2 += -4\n *(u32 *)(r10 -4) = 0\n"
                           "call bpf_map_lookup_elem\n exit\n";
  EXPECT_TRUE(check("call f\n" + after + "func f:\n" + find, maps()).accepted);
  EXPECT_EQ(check("call f\n" + after + "func f:\n" + kCall + find, maps()).code, "not-pointer");
  const Outcome o = check("call f\n r0 &= 7\n exit\n func f:\n" + kCall + "r0 = 3\n exit", maps());
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_FALSE(o.facts.functions[0].tail_calls);
  EXPECT_TRUE(o.facts.functions[1].tail_calls);
  EXPECT_FALSE(o.facts.insns[1].before[0].range.is_constant()) << "r0 is not 3 alone";
}

TEST(TailCalls, that_succeed_may_have_moved_the_packet) {
  const std::string begin = "r6 = r1\n r7 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r4 = r7\n r4 += 8\n"
                            "if r4 > r3 goto out\n r1 = r6\n";
  const std::string end = "r0 = *(u8 *)(r7 +0)\n out:\n r0 = 0\n exit\n";
  EXPECT_EQ(check_kind(begin + kCall + end, bpf::ProgramKind::xdp).code, "") << "it did not succeed";
  EXPECT_EQ(check_kind(begin + "call f\n" + end + "func f:\n" + kCall + "r0 = 0\n exit", bpf::ProgramKind::xdp).code,
            "not-pointer");
}

TEST(TailCalls, are_not_for_programs_that_may_sleep) {
  const std::string text = kCall + "r0 = 0\n exit";
  EXPECT_TRUE(check_kind(text, bpf::ProgramKind::probe).accepted);
  EXPECT_EQ(check_kind(text, bpf::ProgramKind::probe, true).code, "helper-kind");
  EXPECT_EQ(check_kind(text, bpf::ProgramKind::syscall).code, "helper-kind");
}

TEST(TailCalls, do_not_leave_callbacks) {
  const std::string loop = "*(u64 *)(r10 -8) = r1\n r1 = 3\n r2 = func body\n r3 = r10\n r3 += -8\n r4 = 0\n"
                           "call bpf_loop\n r0 = 0\n exit\n func body:\n";
  EXPECT_EQ(check(loop + "r1 = *(u64 *)(r2 +0)\n" + kCall + "r0 = 0\n exit", maps()).code, "tail-call");
  EXPECT_EQ(check(loop + "r1 = *(u64 *)(r2 +0)\n call f\n r0 = 0\n exit\n func f:\n" + kCall + "r0 = 0\n exit", maps()).code,
            "")
      << "a function that a callback calls may, and the callback goes on";
}

TEST(TailCalls, of_functions_bound_the_stack_of_their_callers) {
  const auto with = [](int bytes) {
    return check("*(u64 *)(r10 -" + std::to_string(bytes) + ") = 0\n call f\n r0 = 0\n exit\n func f:\n" + kCall +
                     "r0 = 0\n exit",
                 maps())
        .code;
  };
  EXPECT_EQ(with(240), "");
  EXPECT_EQ(with(256), "tail-call");
  EXPECT_EQ(check("*(u64 *)(r10 -512) = 0\n" + kCall + "r0 = 0\n exit", maps()).code, "") << "its own is dropped";
}

} // namespace
} // namespace bpfaot::verifier::test
