// SPDX-License-Identifier: MIT
//
// Covering and moving aarch64 instructions, case by case in words. What moved code does is read off
// its disassembly in tests/patch/aarch64.
#include "targets/aarch64/patch.h"

#include <gtest/gtest.h>

#include <cstring>

namespace bpfaot::targets {
namespace {

using Words = std::vector<uint32_t>;
constexpr uint64_t kPc = 0x400000;
constexpr uint32_t kRet = 0xd65f03c0, kNop = 0xd503201f, kPaciasp = 0xd503233f, kPacibsp = 0xd503237f,
                   kBtiC = 0xd503245f, kMove = 0xaa0103e0, kBrk = 0xd4200000, kLdxr = 0xc85f7c01,
                   kStxr = 0xc8027c01, kLdaxp = 0xc87f8801, kCas = 0xc8a07c41;

std::vector<uint8_t> bytes_of(const Words& words) {
  std::vector<uint8_t> bytes(words.size() * 4);
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

Words words_of(const std::vector<uint8_t>& bytes) {
  Words words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

Result<SiteCover> cover(const Words& words, uint64_t at = kPc, uint64_t function_size = ~0ull, uint64_t room = 0) {
  const std::vector<uint8_t> bytes = bytes_of(words);
  return aarch64::cover({bytes, kPc, function_size == ~0ull ? bytes.size() : function_size, room, at});
}

std::string code_of(const Result<SiteCover>& result) {
  return result ? "accepted" : std::string(code_text(result.error().code));
}

TEST(Aarch64Cover, IsOneInstruction) {
  const Result<SiteCover> found = cover({kMove, kRet});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->patch_pc, kPc);
  EXPECT_EQ(found->size, 4u);
  EXPECT_EQ(found->starts, std::vector<uint8_t>{0});
  EXPECT_TRUE(found->at_entry);
  EXPECT_TRUE(found->falls_out);
  EXPECT_FALSE(cover({kRet})->falls_out);
  EXPECT_FALSE(cover({kMove, kRet}, kPc + 4)->at_entry);
}

TEST(Aarch64Cover, KeepsALandingPad) {
  const Result<SiteCover> bti = cover({kBtiC, kMove, kRet});
  ASSERT_TRUE(bti);
  EXPECT_EQ(bti->patch_pc, kPc + 4);
  EXPECT_EQ(bti->signing, aarch64::kUnsigned);
  EXPECT_TRUE(bti->at_entry);
  EXPECT_EQ(cover({kPaciasp, kMove, kRet})->signing, aarch64::kSignedA);
  EXPECT_EQ(cover({kPacibsp, kMove, kRet})->signing, aarch64::kSignedB);
  EXPECT_EQ(code_of(cover({kPaciasp}, kPc, 4)), "attach-short");
}

TEST(Aarch64Cover, MovesASecondLandingPadAndOnesAwayFromTheEntry) {
  const Result<SiteCover> both = cover({kBtiC, kPaciasp, kRet});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->patch_pc, kPc + 4);
  EXPECT_EQ(both->signing, aarch64::kUnsigned);
  EXPECT_EQ(cover({kMove, kPaciasp, kRet}, kPc + 4)->patch_pc, kPc + 4);
  EXPECT_EQ(cover({kMove, kBtiC, kRet}, kPc + 4)->patch_pc, kPc + 8);
}

TEST(Aarch64Cover, DeclinesWhatIsNoInstruction) {
  EXPECT_EQ(code_of(cover({kMove, kRet}, kPc + 2)), "attach-decode");
  EXPECT_EQ(code_of(cover({0x02000000, kRet})), "attach-decode");
  EXPECT_EQ(code_of(cover({0x55000001, kRet})), "attach-decode"); // a branch of a newer architecture
  EXPECT_EQ(code_of(cover({kMove, kRet}, kPc + 8)), "attach-decode");
  EXPECT_EQ(code_of(cover({kBrk, kRet})), "attach-breakpoint");
}

TEST(Aarch64Cover, StaysInItsFunction) {
  EXPECT_EQ(code_of(cover({kBtiC, kMove, kRet}, kPc, 4)), "attach-short");
  EXPECT_EQ(code_of(cover({kBtiC, kMove, kRet}, kPc, 12, 4)), "attach-short");
}

TEST(Aarch64Cover, DeclinesBetweenLoadAndStoreExclusive) {
  // 0: mov; 4: ldxr; 8: mov; c: stxr; 10: cbnz w2, 4; 14: ret
  const Words loop = {kMove, kLdxr, kMove, kStxr, 0x35ffffa2, kRet};
  EXPECT_EQ(code_of(cover(loop, kPc)), "accepted");
  EXPECT_EQ(code_of(cover(loop, kPc + 4)), "accepted");
  EXPECT_EQ(code_of(cover(loop, kPc + 8)), "attach-exclusive");
  EXPECT_EQ(code_of(cover(loop, kPc + 12)), "attach-exclusive");
  EXPECT_EQ(code_of(cover(loop, kPc + 16)), "accepted");
  // 0: ldaxp; 4: b 12; 8: ret; c: stxr; 10: ret
  const Words apart = {kLdaxp, 0x14000002, kRet, kStxr, kRet};
  EXPECT_EQ(code_of(cover(apart, kPc + 4)), "attach-exclusive");
  EXPECT_EQ(code_of(cover(apart, kPc + 8)), "accepted");
  EXPECT_EQ(code_of(cover({kMove, kCas, kRet}, kPc)), "accepted"); // one instruction does it all
}

Words move_or_die(uint32_t word, uint64_t to) {
  Result<MovedCode> moved = aarch64::move(bytes_of({word}), kPc, to);
  EXPECT_TRUE(moved) << moved.error().message;
  return moved ? words_of(moved->bytes) : Words{};
}

std::string refusal(uint32_t word, uint64_t to) {
  const Result<MovedCode> moved = aarch64::move(bytes_of({word}), kPc, to);
  return moved ? "moved" : std::string(code_text(moved.error().code));
}

TEST(Aarch64Move, CopiesWhatDoesNotDependOnItsAddress) {
  for (const uint32_t word : {kMove, kNop, kRet, kPaciasp, 0xd61f0020u, 0xd4000001u, 0xa9bf7bfdu}) {
    EXPECT_EQ(move_or_die(word, kPc + 0x1000), Words{word});
  }
}

TEST(Aarch64Move, RebasesBranches) {
  EXPECT_EQ(move_or_die(0x14000010, kPc + 0x1000), Words{0x14000000 | ((0x40 - 0x1000) / 4 & 0x3ffffff)});
  EXPECT_EQ(move_or_die(0x54000201, kPc + 0x1000), Words{0x54000001 | ((0x40 - 0x1000) / 4 & 0x7ffff) << 5});
  EXPECT_EQ(move_or_die(0xb4000203, kPc - 0x1000), Words{0xb4000003 | ((0x40 + 0x1000) / 4) << 5});
  EXPECT_EQ(move_or_die(0xb7f80203, kPc - 0x1000), Words{0xb7f80003 | ((0x40 + 0x1000) / 4) << 5});
}

TEST(Aarch64Move, WidensConditionalBranchesByTheirOpposite) {
  constexpr uint64_t kTo = kPc + 0x2000000;
  const uint32_t jump = 0x14000000 | ((0x40 - 0x2000004) / 4 & 0x3ffffff);
  EXPECT_EQ(move_or_die(0x54000201, kTo), (Words{0x54000040, jump}));  // b.ne: b.eq over
  EXPECT_EQ(move_or_die(0xb4000203, kTo), (Words{0xb5000043, jump}));  // cbz: cbnz
  EXPECT_EQ(move_or_die(0x35000203, kTo), (Words{0x34000043, jump}));  // cbnz: cbz
  EXPECT_EQ(move_or_die(0xb7f80203, kTo), (Words{0xb6f80043, jump}));  // tbnz x3, #63: tbz
  EXPECT_EQ(move_or_die(0x5400020e, kTo), Words{0x14000000 | ((0x40 - 0x2000000) / 4 & 0x3ffffff)}); // b.al
}

TEST(Aarch64Move, DeclinesABranchInsideTheFunctionThatIsOutOfReach) {
  EXPECT_EQ(refusal(0x14000010, kPc + 0x9000000), "attach-reach");
  EXPECT_EQ(refusal(0x54000201, kPc + 0x9000000), "attach-reach");
  EXPECT_EQ(refusal(0x15ffffff, kPc - 0x7000000), "moved"); // a tail call far away goes through x16
}

TEST(Aarch64Move, ACallLeavesTheOriginalReturnAddress) {
  // movz x30, #4; movk x30, #0x40, lsl #16; b target
  EXPECT_EQ(move_or_die(0x94000010, kPc + 0x1000),
            (Words{0xd280009e, 0xf2a0081e, 0x14000000 | ((0x40 - 0x1008) / 4 & 0x3ffffff)}));
  EXPECT_EQ(move_or_die(0xd63f0060, kPc + 0x1000), (Words{0xd280009e, 0xf2a0081e, 0xd61f0060})); // blr x3
  EXPECT_EQ(move_or_die(0xd63f087f, kPc + 0x1000), (Words{0xd280009e, 0xf2a0081e, 0xd61f087f})); // blraaz x3
  EXPECT_EQ(refusal(0xd63f03c0, kPc + 0x1000), "attach-move");                                   // blr x30
  EXPECT_EQ(refusal(0xd73f087e, kPc + 0x1000), "attach-move");                                   // blraa x3, x30
}

TEST(Aarch64Move, MakesAddressesConstants) {
  EXPECT_EQ(move_or_die(0x10000083, kPc + 0x1000), (Words{0xd2800203, 0xf2a00803})); // adr x3, .+16
  EXPECT_EQ(move_or_die(0xd0ffffe3, kPc), (Words{0xd29c0003, 0xf2a007e3})); // adrp x3, -2 pages
}

TEST(Aarch64Move, LoadsLiteralsFromWhereTheyAre) {
  EXPECT_EQ(move_or_die(0x58000203, kPc + 0x1000), Words{0x58000003 | ((0x40 - 0x1000) / 4 & 0x7ffff) << 5});
  constexpr uint64_t kFar = kPc + 0x200000;
  EXPECT_EQ(move_or_die(0x58000203, kFar), (Words{0xd2800803, 0xf2a00803, 0xf9400063})); // ldr x3
  EXPECT_EQ(move_or_die(0x18000203, kFar), (Words{0xd2800803, 0xf2a00803, 0xb9400063})); // ldr w3
  EXPECT_EQ(move_or_die(0x98000203, kFar), (Words{0xd2800803, 0xf2a00803, 0xb9800063})); // ldrsw x3
  EXPECT_EQ(move_or_die(0xd8000203, kFar), Words{kNop});                                 // prfm
  EXPECT_EQ(move_or_die(0x9c000203, kFar),                                               // ldr q3
            (Words{0xf81f0ff0, 0xd2800810, 0xf2a00810, 0x3dc00203, 0xf84107f0}));
  EXPECT_EQ(move_or_die(0x5c000203, kFar)[3], 0xfd400203u); // ldr d3
  EXPECT_EQ(move_or_die(0x1c000203, kFar)[3], 0xbd400203u); // ldr s3
}

TEST(Aarch64Move, DeclinesWhatIsTiedToItsPlace) {
  EXPECT_EQ(refusal(0x19010440, kPc + 0x1000), "attach-move"); // cpyfp [x0]!, [x1]!, x2!
  EXPECT_EQ(refusal(0xdac1a3fe, kPc + 0x1000), "attach-move"); // paciasppc
  EXPECT_EQ(refusal(0xd50324ff, kPc + 0x1000), "attach-move"); // pacm
}

TEST(Aarch64Jump, IsRefusedOutOfReach) {
  EXPECT_EQ(words_of(*aarch64::encode_jump(kPc, kPc + 0x1000)), Words{0x14000400});
  EXPECT_TRUE(aarch64::encode_jump(kPc + 0x8000000, kPc));
  EXPECT_TRUE(aarch64::encode_jump(kPc, kPc + 0x7fffffc));
  EXPECT_FALSE(aarch64::encode_jump(kPc, kPc + 0x8000000));
  EXPECT_FALSE(aarch64::encode_jump(kPc, kPc + 2));
  EXPECT_FALSE(aarch64::encode_short_jump(kPc, kPc + 16));
}

TEST(Aarch64Padding, IsNopsAndZeros) {
  EXPECT_EQ(aarch64::padding(bytes_of({kNop})), 4u);
  EXPECT_EQ(aarch64::padding(bytes_of({0})), 4u);
  EXPECT_EQ(aarch64::padding(bytes_of({kRet})), 0u);
  EXPECT_EQ(aarch64::padding({}), 0u);
}

TEST(Aarch64Calls, PutArgumentsWhereTheKernelLooks) {
  std::vector<uint8_t> regs(272, 0xff);
  const std::vector<uint64_t> args = {1, 2, 3};
  aarch64::kPatcher.prepare_syscall(regs, 0x1234, 222, args);
  uint64_t values[34];
  std::memcpy(values, regs.data(), sizeof values);
  EXPECT_EQ(values[0], 1u);
  EXPECT_EQ(values[2], 3u);
  EXPECT_EQ(values[5], 0u);
  EXPECT_EQ(values[8], 222u);
  EXPECT_EQ(values[32], 0x1234u);
  EXPECT_EQ(values[33] & 0xc00, 0u);
  EXPECT_EQ(values[31], ~0ull);
}

} // namespace
} // namespace bpfaot::targets
