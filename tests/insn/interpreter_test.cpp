// SPDX-License-Identifier: MIT
//
// The reference interpreter reports what a program does wrong, instead of doing it.
#include "tests/insn/bare_world.h"
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

} // namespace
} // namespace bpfaot::tests
