// SPDX-License-Identifier: MIT
//
// Covering and moving x86_64 instructions, case by case in bytes.
#include "targets/x86_64/patch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace bpfaot::targets {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint64_t kPc = 0x401000;

SiteRequest request_for(const Bytes& code, uint64_t function_size, uint64_t at = kPc) {
  return {code, kPc, function_size, 0, at};
}

std::string code_of(const Result<SiteCover>& result) {
  return result ? "accepted" : std::string(code_text(result.error().code));
}

int32_t rel32(const Bytes& bytes, size_t at) {
  int32_t value = 0;
  std::memcpy(&value, &bytes[at], 4);
  return value;
}

TEST(Cover, TakesWholeInstructionsUntilAJumpFits) {
  const Bytes code = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0xc9, 0xc3}; // push; mov; sub; leave; ret
  const Result<SiteCover> cover = x86_64::cover(request_for(code, code.size()));
  ASSERT_TRUE(cover);
  EXPECT_EQ(cover->patch_pc, kPc);
  EXPECT_EQ(cover->size, 8u);
  EXPECT_EQ(cover->starts, (std::vector<uint8_t>{0, 1, 4}));
  EXPECT_TRUE(cover->at_entry);
  EXPECT_TRUE(cover->falls_out);
}

TEST(Cover, KeepsALandingPadAndPatchesBehindIt) {
  const Bytes code = {0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 1, 0, 0, 0, 0xc3};
  const Result<SiteCover> cover = x86_64::cover(request_for(code, code.size()));
  ASSERT_TRUE(cover);
  EXPECT_EQ(cover->patch_pc, kPc + 4);
  EXPECT_EQ(cover->size, 5u);
  EXPECT_TRUE(cover->at_entry);
}

TEST(Cover, DeclinesAFunctionThatIsTooShort) {
  const Bytes code = {0x31, 0xc0, 0xc3, 0x55, 0x48, 0x89, 0xe5, 0xc3};
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, 3))), "attach-short");
}

TEST(Cover, UsesThePaddingBehindAShortFunction) {
  const Bytes code = {0x31, 0xc0, 0xc3, 0x66, 0x90, 0x90, 0x55, 0xc3};
  const Result<SiteCover> cover = x86_64::cover(request_for(code, 3));
  ASSERT_TRUE(cover);
  EXPECT_EQ(cover->size, 5u);
  EXPECT_FALSE(cover->falls_out);
}

TEST(Cover, DeclinesPaddingThatBelongsToTheNextSymbol) {
  const Bytes code = {0x31, 0xc0, 0xc3, 0x90, 0x90, 0x90};
  SiteRequest request = request_for(code, 3);
  request.room = 4;
  EXPECT_EQ(code_of(x86_64::cover(request)), "attach-short");
}

TEST(Cover, DeclinesABranchIntoTheReplacedBytes) {
  const Bytes code = {0x55, 0xff, 0xcf, 0x75, 0xfc, 0x5d, 0xc3}; // push; 1: dec edi; jnz 1b; pop; ret
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size()))), "attach-branch");
}

TEST(Cover, AllowsALoopToTheFirstByte) {
  const Bytes code = {0xff, 0xcf, 0x90, 0x75, 0xfb, 0xc3};
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size()))), "accepted");
}

TEST(Cover, DeclinesACallWhoseReturnAddressWouldBeReplaced) {
  const Bytes code = {0xff, 0xd7, 0x5d, 0x5d, 0x5d, 0x5d, 0xc3}; // call *%rdi; pop...
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size()))), "attach-branch");
}

TEST(Cover, NeedsTwoBytesWhereALongJumpGoesIntoAGap) {
  const Bytes code = {0x48, 0x89, 0xf8, 0x48, 0x83, 0xfa, 0x20, 0x75, 0xfa, 0xc3}; // mov; 1: cmp; jne 1b; ret
  SiteRequest request = request_for(code, code.size());
  EXPECT_EQ(code_of(x86_64::cover(request)), "attach-branch");
  request.need = 2;
  const Result<SiteCover> cover = x86_64::cover(request);
  ASSERT_TRUE(cover);
  EXPECT_EQ(cover->size, 3u);
}

TEST(Cover, DeclinesAForeignBreakpoint) {
  const Bytes code = {0xcc, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0xc3};
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size()))), "attach-breakpoint");
}

TEST(Cover, DeclinesAnAddressInsideAnInstruction) {
  const Bytes code = {0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0x90, 0x90, 0x90, 0xc3};
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size(), kPc + 4))), "attach-decode");
  const Result<SiteCover> cover = x86_64::cover(request_for(code, code.size(), kPc + 3));
  ASSERT_TRUE(cover);
  EXPECT_FALSE(cover->at_entry);
}

TEST(Cover, DeclinesBehindAJumpTableAwayFromTheEntry) {
  const Bytes code = {0xff, 0xe0, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3}; // jmp *%rax; nops
  EXPECT_EQ(code_of(x86_64::cover(request_for(code, code.size(), kPc + 2))), "attach-branch");
}

Bytes move_or_die(const Bytes& covered, uint64_t from, uint64_t to) {
  Result<MovedCode> moved = x86_64::move(covered, from, to);
  EXPECT_TRUE(moved) << moved.error().message;
  return moved ? moved->bytes : Bytes{};
}

// A fuzzer found it: the distance has two bytes and four were read.
TEST(Decode, ReadsNothingBehindATransactionWithAShortDistance) {
  for (const Bytes& code : {Bytes{0x66, 0xc7, 0xf8, 0x00, 0x00}, Bytes{0x65, 0x66, 0xc7, 0xf8, 0x10, 0x00}}) {
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[code.size()]);
    std::copy(code.begin(), code.end(), exact.get());
    EXPECT_FALSE(x86_64::decode({exact.get(), code.size()}, kPc));
  }
  const Bytes plain = {0xc7, 0xf8, 0x10, 0x00, 0x00, 0x00};
  const std::optional<Insn> insn = x86_64::decode(plain, kPc);
  ASSERT_TRUE(insn);
  EXPECT_EQ(insn->target, kPc + 6 + 16);
}

TEST(Move, RebasesAPcRelativeOperand) {
  const Bytes lea = {0x48, 0x8d, 0x05, 0x10, 0, 0, 0}; // lea 0x10(%rip), %rax
  const Bytes moved = move_or_die(lea, kPc, kPc + 0x1000);
  ASSERT_EQ(moved.size(), 7u);
  EXPECT_EQ(rel32(moved, 3), 0x10 - 0x1000);
}

TEST(Move, RebasesAnOperandThatIsFollowedByAnImmediate) {
  const Bytes cmp = {0x81, 0x3d, 0x20, 0, 0, 0, 1, 2, 3, 4}; // cmpl $…, 0x20(%rip)
  const Bytes moved = move_or_die(cmp, kPc, kPc - 0x100);
  EXPECT_EQ(rel32(moved, 2), 0x20 + 0x100);
  EXPECT_EQ(rel32(moved, 6), 0x04030201);
}

TEST(Move, DeclinesAnOperandOutOfReach) {
  const Bytes lea = {0x48, 0x8d, 0x05, 0x10, 0, 0, 0};
  const Result<MovedCode> moved = x86_64::move(lea, kPc, kPc + 0x100000000);
  ASSERT_FALSE(moved);
  EXPECT_EQ(code_text(moved.error().code), "attach-reach");
}

TEST(Move, ACallLeavesTheOriginalReturnAddress) {
  const Bytes call = {0xe8, 0x00, 0x01, 0, 0};
  const Bytes moved = move_or_die(call, kPc, 0x500000);
  ASSERT_EQ(moved[0], 0x68);
  EXPECT_EQ(static_cast<uint32_t>(rel32(moved, 1)), kPc + 5);
  EXPECT_EQ(moved[13], 0xe9);
  EXPECT_EQ(0x500000 + 18 + rel32(moved, 14), static_cast<int64_t>(kPc + 5 + 0x100));
}

TEST(Move, WidensShortBranches) {
  const Bytes jne = {0x75, 0x10};
  const Bytes moved = move_or_die(jne, kPc, 0x500000);
  ASSERT_EQ(moved.size(), 6u);
  EXPECT_EQ(moved[0], 0x0f);
  EXPECT_EQ(moved[1], 0x85);
  EXPECT_EQ(0x500000 + 6 + rel32(moved, 2), static_cast<int64_t>(kPc + 2 + 0x10));
}

TEST(Move, ExpandsLoopsAndCounterBranches) {
  for (const uint8_t op : {0xe0, 0xe1, 0xe2, 0xe3}) {
    const Bytes moved = move_or_die({op, 0x05}, kPc, 0x500000);
    ASSERT_EQ(moved.size(), 9u);
    EXPECT_EQ(moved[0], op);
    EXPECT_EQ(0x500000 + 9 + rel32(moved, 5), static_cast<int64_t>(kPc + 2 + 5));
  }
}

TEST(Move, GoesThroughMemoryWhenATargetIsFar) {
  const Bytes moved = move_or_die({0xe9, 0, 0, 0, 0}, kPc, 0x7f0000000000);
  ASSERT_EQ(moved.size(), 14u);
  EXPECT_EQ(moved[0], 0xff);
  EXPECT_EQ(moved[1], 0x25);
  uint64_t target = 0;
  std::memcpy(&target, &moved[6], 8);
  EXPECT_EQ(target, kPc + 5);
}

TEST(Move, DeclinesAnIndirectCallThroughTheStackPointer) {
  EXPECT_FALSE(x86_64::move(Bytes{0xff, 0x14, 0x24}, kPc, 0x500000)); // call *(%rsp)
  EXPECT_TRUE(x86_64::move(Bytes{0x41, 0xff, 0xd4}, kPc, 0x500000));  // call *%r12
}

TEST(Jump, IsRefusedOutOfReach) {
  EXPECT_TRUE(x86_64::encode_jump(kPc, kPc + 0x7fffff00));
  EXPECT_FALSE(x86_64::encode_jump(kPc, kPc + 0x80001000));
}

TEST(Jump, HasAShortFormForGapsNearBy) {
  const Result<std::vector<uint8_t>> jump = x86_64::encode_short_jump(kPc, kPc - 60);
  ASSERT_TRUE(jump);
  EXPECT_EQ(*jump, (Bytes{0xeb, 0xc2}));
  EXPECT_FALSE(x86_64::encode_short_jump(kPc, kPc + 200));
}

TEST(Padding, IsNopsAndBreakpointsOnly) {
  EXPECT_EQ(x86_64::padding(Bytes{0x66, 0x0f, 0x1f, 0x44, 0, 0}), 6u);
  EXPECT_EQ(x86_64::padding(Bytes{0xcc, 0xcc}), 1u);
  EXPECT_EQ(x86_64::padding(Bytes{0xc3}), 0u);
  EXPECT_EQ(x86_64::padding(Bytes{0xf3, 0x0f, 0x1e, 0xfa}), 0u); // endbr64 begins a function
}

TEST(LongBranches, AreFoundAtEveryOffset) {
  Bytes text(64, 0x90);
  text[33] = 0x0f;
  text[34] = 0x84;
  const int32_t relative = 4 - 39;
  std::memcpy(&text[35], &relative, 4);
  const std::vector<LongBranch> found = x86_64::find_long_branches(text, kPc);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0], (LongBranch{kPc + 4, kPc + 33}));
}

TEST(LongBranches, AreThoseThatLeadIntoTheRange) {
  // Calls from the first and to the last byte, and one whose target lies outside the text.
  Bytes text(64, 0x90);
  const auto call = [&](size_t at, int32_t to) {
    const int32_t relative = to - static_cast<int32_t>(at) - 5;
    text[at] = 0xe8;
    std::memcpy(&text[at + 1], &relative, 4);
  };
  call(0, 63);
  call(20, 10);
  call(40, 9);
  call(59, 1 << 20);
  using List = std::vector<LongBranch>;
  EXPECT_EQ(x86_64::find_branches_into(text, kPc, kPc + 10, kPc + 11), (List{{kPc + 10, kPc + 20}}));
  EXPECT_EQ(x86_64::find_branches_into(text, kPc, kPc + 9, kPc + 11), (List{{kPc + 10, kPc + 20}, {kPc + 9, kPc + 40}}));
  EXPECT_EQ(x86_64::find_branches_into(text, kPc, kPc + 11, kPc + 63), List{});
  EXPECT_EQ(x86_64::find_branches_into(text, kPc, kPc + 63, UINT64_MAX), (List{{kPc + 63, kPc}}));
  EXPECT_EQ(x86_64::find_branches_into(text, kPc, 0, UINT64_MAX).size(), 3u);
  EXPECT_EQ(x86_64::find_branches_into({text.data(), 4}, kPc, 0, UINT64_MAX), List{});
}

TEST(LongBranches, AreFoundInLongTextsToo) {
  // The text is looked at in blocks: one branch at each place of a few of them.
  constexpr size_t kTarget = 300;
  for (size_t at = 0; at + 5 <= 900; ++at) {
    Bytes text(900, 0x90);
    const int32_t relative = static_cast<int32_t>(kTarget) - static_cast<int32_t>(at) - 5;
    text[at] = 0xe9;
    std::memcpy(&text[at + 1], &relative, 4);
    const std::vector<LongBranch> wanted{{kPc + kTarget, kPc + at}};
    EXPECT_EQ(x86_64::find_branches_into(text, kPc, kPc + kTarget, kPc + kTarget + 1), wanted) << at;
  }
}

} // namespace
} // namespace bpfaot::targets
