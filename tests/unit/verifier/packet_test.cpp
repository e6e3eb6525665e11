// SPDX-License-Identifier: MIT
//
// Packets: what comparisons with the end of a packet prove, and what loses the proof.
#include "unit/verifier/assemble.h"

#include "verifier/ctx_layout.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

Outcome check_kind(bpf::ProgramKind kind, std::string_view text) {
  const auto program = assemble(text);
  // The kind is known from the section name; here it is given.
  auto copy = std::make_shared<bpf::Program>(*program);
  copy->kind.kind = kind;
  Options options;
  options.ctx = ctx_layout(copy->kind, "", 0);
  auto verified = verify(copy, options);
  Outcome outcome;
  outcome.accepted = verified.has_value();
  if (verified)
    outcome.facts = verified->facts();
  if (!verified) {
    outcome.code = code_text(verified.error().code);
    outcome.slot = verified.error().slot.value_or(UINT32_MAX);
    outcome.message = verified.error().message;
  }
  return outcome;
}

Outcome xdp(std::string_view body) {
  return check_kind(bpf::ProgramKind::xdp, "r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n" + std::string(body));
}

void expect(const Outcome& o, std::string_view code, uint32_t slot) {
  EXPECT_EQ(o.code, code) << o.message;
  if (!code.empty()) {
    EXPECT_EQ(o.slot, slot) << o.message;
  }
}

constexpr const char* kEnd = "out:\n r0 = 0\n exit";

TEST(Packets, are_read_only_where_a_comparison_covers_the_bytes) {
  expect(xdp("r0 = *(u8 *)(r2 +0)\n exit"), "packet-oob", 2);
  expect(xdp(std::string("r4 = r2\n r4 += 8\n if r4 > r3 goto out\n r0 = *(u64 *)(r2 +0)\n") + kEnd), "", 0);
  expect(xdp(std::string("r4 = r2\n r4 += 8\n if r4 > r3 goto out\n r0 = *(u8 *)(r2 +8)\n") + kEnd), "packet-oob", 5);
  expect(xdp(std::string("r4 = r2\n r4 += 8\n if r4 > r3 goto out\n r0 = *(u8 *)(r2 -1)\n") + kEnd), "packet-oob", 5);
  expect(xdp(std::string("r4 = r2\n r4 += 8\n if r4 < r3 goto out\n r0 = *(u8 *)(r2 +0)\n") + kEnd), "packet-oob", 5);
}

// r3 is the context or the stack; what is loaded is an address on one path only.
TEST(Packets, have_a_context_that_no_other_memory_stands_in_for) {
  const auto mixed = [](const char* access) {
    return xdp(std::string("r0 = 0\n *(u64 *)(r10 -8) = r0\n r3 = r1\n r0 = *(u32 *)(r1 +12)\n if r0 != 77 goto use\n"
                           "r3 = r10\n r3 += -8\n use:\n ") +
               access + "\n r0 = 0\n exit");
  };
  expect(mixed("r4 = *(u32 *)(r3 +0)"), "ctx-access", 9);
  expect(mixed("r4 = *(u32 *)(r3 +4)"), "ctx-access", 9);
  expect(mixed("r4 = r3"), "", 0);
}

TEST(Packets, share_no_alignment_with_other_memory) {
  const Outcome o = xdp(std::string("r0 = 0\n *(u64 *)(r10 -8) = r0\n r4 = r2\n r4 += 8\n if r4 > r3 goto out\n"
                                    "r0 = *(u32 *)(r1 +12)\n if r0 != 77 goto use\n r2 = r10\n r2 += -8\n use:\n"
                                    "r0 = *(u64 *)(r2 +0)\n") + kEnd);
  ASSERT_TRUE(o.accepted) << o.message;
  EXPECT_EQ(o.facts.insns[11].before[2].kind, Kind::pointer);
  EXPECT_EQ(o.facts.insns[11].before[2].align, 1u);
}

TEST(Packets, a_strict_comparison_proves_one_byte_more) {
  const auto with = [](const char* branch, const char* load) {
    return xdp(std::string("r4 = r2\n r4 += 8\n ") + branch + " goto good\n goto out\n good:\n " + load + "\n" + kEnd);
  };
  expect(with("if r4 < r3", "r0 = *(u8 *)(r2 +8)"), "", 0);
  expect(with("if r4 <= r3", "r0 = *(u8 *)(r2 +8)"), "packet-oob", 6);
  expect(with("if r4 <= r3", "r0 = *(u8 *)(r2 +7)"), "", 0);
  expect(with("if r3 > r4", "r0 = *(u8 *)(r2 +8)"), "", 0);
  expect(with("if r3 >= r4", "r0 = *(u8 *)(r2 +8)"), "packet-oob", 6);
  expect(with("if r3 >= r4", "r0 = *(u8 *)(r2 +7)"), "", 0);
  expect(with("if w4 <= w3", "r0 = *(u8 *)(r2 +7)"), "packet-oob", 6);
}

TEST(Packets, an_unknown_number_begins_a_group_of_its_own) {
  const std::string moved = "r5 = *(u32 *)(r1 +12)\n r5 &= 255\n r4 = r2\n r4 += r5\n r6 = r4\n r6 += 4\n";
  expect(xdp(moved + "if r6 > r3 goto out\n r0 = *(u32 *)(r4 +0)\n" + kEnd), "", 0);
  expect(xdp(moved + "if r6 > r3 goto out\n r0 = *(u8 *)(r2 +0)\n" + kEnd), "packet-oob", 9);
  expect(xdp(moved + "if r6 > r3 goto out\n r4 += r5\n r0 = *(u8 *)(r4 +0)\n" + kEnd), "packet-oob", 10);
  // Too far away to be compared: the address might wrap.
  expect(xdp("r5 = *(u32 *)(r1 +12)\n r5 &= 131071\n r4 = r2\n r4 += r5\n r6 = r4\n r6 += 4\n"
             "if r6 > r3 goto out\n r0 = *(u32 *)(r4 +0)\n" + std::string(kEnd)),
         "packet-oob", 9);
  // A number that may be negative leads before the packet.
  expect(xdp("r5 = *(u32 *)(r1 +12)\n r5 &= 15\n r5 += -8\n r4 = r2\n r4 += r5\n r6 = r4\n r6 += 20\n"
             "if r6 > r3 goto out\n r0 = *(u8 *)(r4 +0)\n" + std::string(kEnd)),
         "packet-oob", 10);
}

TEST(Packets, pointers_are_lost_when_a_helper_may_move_the_packet) {
  expect(xdp("r6 = r2\n r7 = r3\n r2 = 0\n call bpf_xdp_adjust_head\n r6 += 1\n if r6 > r7 goto out\n"
             "r0 = *(u8 *)(r6 -1)\n" + std::string(kEnd)),
         "not-pointer", 8);
}

TEST(Packets, the_end_is_no_memory_and_does_not_move) {
  expect(xdp("r0 = *(u8 *)(r3 +0)\n exit"), "not-pointer", 2);
  expect(xdp("r3 += 4\n r0 = 0\n exit"), "ptr-arith", 2);
  expect(xdp("r0 = r3\n r0 -= r2\n exit"), "", 0);
}

TEST(Packets, metadata_ends_where_the_packet_begins) {
  const std::string meta = "r4 = *(u32 *)(r1 +8)\n r5 = r4\n r5 += 4\n";
  expect(xdp(meta + "if r5 > r2 goto out\n r0 = *(u32 *)(r4 +0)\n" + kEnd), "", 0);
  expect(xdp(meta + "if r5 > r3 goto out\n r0 = *(u32 *)(r4 +0)\n" + kEnd), "packet-oob", 6);
  expect(xdp(meta + "r2 += 4\n if r5 > r2 goto out\n r0 = *(u32 *)(r4 +0)\n" + kEnd), "packet-oob", 7);
}

TEST(Packets, are_not_changed_by_atomics) {
  expect(xdp("r4 = r2\n r4 += 8\n if r4 > r3 goto out\n lock *(u64 *)(r2 +0) += r4\n" + std::string(kEnd)),
         "atomic-target", 5);
}

TEST(Packets, fields_have_their_width_and_kind) {
  using bpf::ProgramKind;
  expect(check_kind(ProgramKind::xdp, "r0 = *(u16 *)(r1 +12)\n exit"), "ctx-access", 0);
  expect(check_kind(ProgramKind::xdp, "r0 = *(u32 *)(r1 +20)\n exit"), "ctx-access", 0);
  expect(check_kind(ProgramKind::xdp, "r0 = *(u64 *)(r1 +0)\n exit"), "ctx-access", 0);
  expect(check_kind(ProgramKind::tc, "r0 = *(u16 *)(r1 +16)\n exit"), "", 0);
  expect(check_kind(ProgramKind::tc, "r0 = *(u64 *)(r1 +168)\n exit"), "unsupported-ctx", 0);
  expect(check_kind(ProgramKind::tc, "r0 = 1\n *(u32 *)(r1 +8) = r0\n exit"), "", 0);
  expect(check_kind(ProgramKind::tc, "r0 = 1\n *(u32 *)(r1 +0) = r0\n exit"), "ctx-access", 1);
  expect(check_kind(ProgramKind::tc, "r0 = 1\n *(u16 *)(r1 +8) = r0\n exit"), "ctx-access", 1);
  expect(check_kind(ProgramKind::socket_filter, "r0 = *(u32 *)(r1 +76)\n exit"), "ctx-access", 0);
  expect(check_kind(ProgramKind::socket_filter, "r0 = 1\n *(u32 *)(r1 +8) = r0\n exit"), "ctx-access", 1);
  expect(check_kind(ProgramKind::socket_filter, "r0 = 1\n *(u16 *)(r1 +50) = r0\n exit"), "", 0);
}

TEST(Packets, helpers_belong_to_kinds) {
  using bpf::ProgramKind;
  expect(check_kind(ProgramKind::tc, "r2 = 0\n call bpf_xdp_adjust_head\n exit"), "helper-kind", 1);
  expect(check_kind(ProgramKind::xdp, "r2 = 0\n call bpf_skb_pull_data\n exit"), "helper-kind", 1);
  expect(check_kind(ProgramKind::socket_filter, "r2 = 0\n call bpf_skb_pull_data\n exit"), "helper-kind", 1);
  expect(check_kind(ProgramKind::xdp, "call bpf_get_func_ip\n exit"), "helper-kind", 0);
  expect(check_kind(ProgramKind::probe, "r2 = 0\n call bpf_xdp_adjust_tail\n exit"), "helper-kind", 1);
}

TEST(Kinds, that_must_not_sleep_have_no_helpers_that_may) {
  constexpr const char* kCopy = R"(
    r1 = r10
    r1 += -8
    r2 = 8
    r3 = 4096
    call bpf_copy_from_user
    r0 = *(u64 *)(r10 -8)
    exit)";
  EXPECT_EQ(check_kind(bpf::ProgramKind::probe, kCopy).code, "helper-kind");
  EXPECT_EQ(check_kind(bpf::ProgramKind::xdp, kCopy).code, "helper-kind");
  const Outcome sleeps = check_kind(bpf::ProgramKind::syscall, kCopy);
  EXPECT_TRUE(sleeps.accepted) << sleeps.message;
}

} // namespace
} // namespace bpfaot::verifier::test
