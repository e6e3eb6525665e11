// SPDX-License-Identifier: MIT
//
// The reference interpreter reports what a program does wrong, instead of doing it.
#include "tests/insn/bare_world.h"
#include "tests/tools/map_world.h"
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::tests {
namespace {

class PacketWorld : public BareWorld {
public:
  using BareWorld::BareWorld;
  std::optional<std::span<const uint8_t>> packet() override { return bytes(); }
};

Outcome run(std::string_view text, std::vector<uint8_t> bytes = std::vector<uint8_t>(16)) {
  const auto program = verifier::test::assemble(text, {verifier::test::bss(16)});
  Memory memory;
  PacketWorld world(memory, std::move(bytes));
  const uint64_t arguments[] = {world.map_value(bpf::MapId(0))};
  return Interpreter(*program, memory, world, 10000).run(arguments);
}

void expect_problem(std::string_view text, std::string_view part) {
  const Outcome outcome = run(text);
  EXPECT_FALSE(outcome.r0) << text;
  EXPECT_NE(outcome.problem.find(part), std::string::npos) << outcome.problem;
}

TEST(Interpreter, returns_r0) {
  const Outcome outcome = run("r0 = 5\n exit");
  ASSERT_TRUE(outcome.r0) << outcome.problem;
  EXPECT_EQ(*outcome.r0, 5u);
}

TEST(Interpreter, reports_accesses_outside_of_memory) {
  expect_problem("r0 = *(u64 *)(r1 +9)\n exit", "9 from the start of the memory (16 bytes)");
  expect_problem("r0 = *(u8 *)(r1 -1)\n exit", "-1 from the start of the memory");
  expect_problem("r0 = 0\n *(u8 *)(r10 +0) = r0\n exit", "512 from the start of frame 0 of test");
  expect_problem("r0 = 0\n *(u64 *)(r10 -520) = r0\n exit", "-8 from the start of frame 0");
  expect_problem("r0 = 4096\n r0 = *(u8 *)(r0 +0)\n exit", "far from everything");
  expect_problem("r0 = -4\n r0 = *(u64 *)(r0 +0)\n exit", "far from everything");
}

TEST(Interpreter, reports_memory_of_a_frame_that_is_gone) {
  expect_problem("call f\n r0 = *(u8 *)(r0 -8)\n exit\n func f:\n r0 = r10\n exit", "freed");
}

TEST(Interpreter, reports_unwritten_registers) {
  expect_problem("r0 = r3\n exit", "r3 was never written");
  expect_problem("exit", "r0 was never written");
  expect_problem("r2 = 1\n call f\n r0 = r2\n exit\n func f:\n r0 = 1\n exit",
                 "r2 was never written");
  expect_problem("r6 = 1\n call f\n exit\n func f:\n r0 = r6\n exit", "r6 was never written");
}

TEST(Interpreter, reports_what_does_not_end) {
  expect_problem("again:\n goto again", "does not end");
  expect_problem("r1 = 1\n call f\n exit\n func f:\n call f\n exit", "too many frames");
  expect_problem("r0 = 1", "past the end");
}

TEST(Interpreter, reports_calls_of_nothing) {
  expect_problem("call unknown#77\n exit", "no helper 77");
  expect_problem("r1 = -1\n callx r1\n exit", "call of 0xffffffffffffffff");
  expect_problem("call kfunc#1/0\n exit", "no kernel functions");
}

TEST(Interpreter, reports_unaligned_atomics) {
  expect_problem("r3 = 1\n lock *(u64 *)(r1 +4) += r3\n exit", "not naturally aligned");
  expect_problem("r0 = load_acquire((u16 *)(r1 +1))\n exit", "not naturally aligned");
}

TEST(Interpreter, loads_packets_in_network_order) {
  const std::vector<uint8_t> packet = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07, 0x08};
  EXPECT_EQ(run("r6 = r1\n r0 = *(u32 *)skb[1]\n exit", packet).r0, 0x02038405u);
  EXPECT_EQ(run("r6 = r1\n r2 = 2\n r0 = *(u16 *)skb[r2 + 1]\n exit", packet).r0, 0x8405u);
  // Outside: the program is over.
  EXPECT_EQ(run("r6 = r1\n r0 = *(u16 *)skb[7]\n r0 = 9\n exit", packet).r0, 0u);
  EXPECT_EQ(run("r6 = r1\n r0 = *(u8 *)skb[-1]\n r0 = 9\n exit", packet).r0, 0u);
  expect_problem("r6 = r1\n r2 = 1\n r0 = *(u8 *)skb[0]\n r0 = r2\n exit", "r2 was never written");
  expect_problem("r0 = *(u8 *)skb[0]\n exit", "r6 was never written");
}

Outcome run_with_maps(std::string_view text) {
  const auto program = verifier::test::assemble(text, {verifier::test::hash_map("hash", 4, 8),
                                                       verifier::test::array_map("array", 8, 3),
                                                       verifier::test::bss(16)});
  Memory memory;
  MapWorld world(memory, *program->object);
  return Interpreter(*program, memory, world, 10000).run({});
}

TEST(Maps, keep_what_is_put_in) {
  EXPECT_EQ(run_with_maps(R"(
    *(u32 *)(r10 -4) = 7
    *(u64 *)(r10 -16) = 40
    r1 = map hash
    r2 = r10
    r2 += -4
    r3 = r10
    r3 += -16
    r4 = 0
    call bpf_map_update_elem
    r1 = map hash
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r3 = *(u64 *)(r0 +0)
    r3 += 2
    *(u64 *)(r0 +0) = r3
    r0 = *(u64 *)(r0 +0)
    out:
    exit)")
                .r0,
            42u);
}

TEST(Maps, report_steps_past_a_value) {
  const Outcome outcome = run_with_maps(R"(
    *(u32 *)(r10 -4) = 2
    r1 = map array
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r0 = *(u64 *)(r0 +1)
    exit)");
  EXPECT_NE(outcome.problem.find("1 from the start of a value of map array"), std::string::npos)
      << outcome.problem;
}

TEST(Maps, say_what_is_not_there) {
  const char* lookup = "*(u32 *)(r10 -4) = 3\n r1 = map array\n r2 = r10\n r2 += -4\n"
                       "call bpf_map_lookup_elem\n exit";
  EXPECT_EQ(run_with_maps(lookup).r0, 0u);
  const char* remove = "*(u32 *)(r10 -4) = 3\n r1 = map hash\n r2 = r10\n r2 += -4\n"
                       "call bpf_map_delete_elem\n exit";
  EXPECT_EQ(run_with_maps(remove).r0, static_cast<uint64_t>(-2));
  EXPECT_EQ(
      run_with_maps("r1 = value .bss 8\n *(u64 *)(r1 +0) = 5\n r0 = *(u64 *)(r1 +0)\n exit").r0,
      5u);
}

} // namespace
} // namespace bpfaot::tests
