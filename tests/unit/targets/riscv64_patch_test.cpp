// SPDX-License-Identifier: MIT
//
// Covering and moving riscv64 instructions, case by case. Whole pairs of code before and after are in
// tests/patch/riscv64.
#include "targets/riscv64/patch.h"

#include <gtest/gtest.h>

#include <cstring>

namespace bpfaot::targets {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint64_t kPc = 0x10000;

// Instructions in hexadecimal as disassemblers print them: 4 digits or 8.
Bytes code(std::initializer_list<const char*> list) {
  Bytes bytes;
  for (const std::string_view text : list) {
    const unsigned long value = std::stoul(std::string(text), nullptr, 16);
    for (size_t i = 0; i < text.size() / 2; ++i) {
      bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
  }
  return bytes;
}

Result<SiteCover> cover(const Bytes& bytes, uint64_t at = kPc, uint32_t need = 0, uint64_t function_size = 0) {
  return riscv64::cover({bytes, kPc, function_size != 0 ? function_size : bytes.size(), 0, at, need});
}

std::string code_of(const Result<SiteCover>& result) {
  return result ? "accepted" : std::string(code_text(result.error().code));
}

constexpr const char* kPush = "1141";     // c.addi sp, -16
constexpr const char* kSaveRa = "e406";   // c.sdsp ra, 8(sp)
constexpr const char* kSaveS0 = "e022";   // c.sdsp s0, 0(sp)
constexpr const char* kFrame = "0800";    // c.addi4spn s0, sp, 16
constexpr const char* kRet = "8082";
constexpr const char* kNop = "0001";
constexpr const char* kSetA0 = "00100513"; // addi a0, zero, 1

TEST(Riscv64Cover, TakesWholeInstructionsUntilALongJumpFits) {
  const Result<SiteCover> found = cover(code({kPush, kSaveRa, kSaveS0, kSetA0, kRet}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->size, 10u);
  EXPECT_EQ(found->starts, (std::vector<uint8_t>{0, 2, 4, 6}));
  EXPECT_TRUE(found->at_entry);
  EXPECT_TRUE(found->falls_out);
  EXPECT_EQ(found->scratch.in, riscv64::t1);
  EXPECT_EQ(found->scratch.out, riscv64::t1);
}

TEST(Riscv64Cover, TakesFourBytesForAJumpIntoAGap) {
  const Result<SiteCover> found = cover(code({kPush, kSaveRa, kSaveS0, kFrame, kRet}), kPc, 4);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->size, 4u);
}

TEST(Riscv64Cover, DeclinesAFunctionThatIsTooShort) {
  const Bytes bytes = code({kSetA0, kRet, kPush, kSaveRa});
  EXPECT_EQ(code_of(cover(bytes, kPc, 0, 6)), "attach-short");
  EXPECT_EQ(code_of(cover(bytes, kPc, 4, 6)), "accepted");
}

TEST(Riscv64Cover, UsesThePaddingBehindAShortFunction) {
  const Result<SiteCover> found = cover(code({kSetA0, kRet, kNop, kPush}), kPc, 0, 6);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->size, 8u);
  EXPECT_FALSE(found->falls_out);
}

TEST(Riscv64Cover, ZeroBytesAreNotPadding) {
  EXPECT_EQ(code_of(cover(code({kSetA0, kRet, "0000", "0000"}), kPc, 0, 6)), "attach-short");
  EXPECT_EQ(riscv64::padding(code({"0000"})), 0u);
  EXPECT_EQ(riscv64::padding(code({kNop})), 2u);
  EXPECT_EQ(riscv64::padding(code({"00000013"})), 4u);
}

TEST(Riscv64Cover, KeepsALandingPadAndJumpsThroughTheRegisterThatNeedsNone) {
  const Result<SiteCover> found = cover(code({"00000017", kPush, kSaveRa, kSaveS0, kFrame, kRet}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->patch_pc, kPc + 4);
  EXPECT_EQ(found->scratch.in, riscv64::t2);
  EXPECT_EQ(found->scratch.out, riscv64::t2);
}

TEST(Riscv64Cover, DeclinesABranchIntoTheReplacedBytes) {
  // addi sp; 1: c.addi a0, -1; c.bnez a0, 1b; c.sdsp; ret
  EXPECT_EQ(code_of(cover(code({kPush, "157d", "fd7d", kSaveRa, kRet}))), "attach-branch");
  // 1: c.addi a0, -1; c.bnez a0, 1b: leads to the first byte
  EXPECT_EQ(code_of(cover(code({"157d", "fd7d", kPush, kSaveRa, kRet}))), "accepted");
}

TEST(Riscv64Cover, DeclinesACallThatIsNotTheLast) {
  EXPECT_EQ(code_of(cover(code({"010000ef", kPush, kSaveRa, kRet}))), "attach-branch"); // jal ra, +16
  EXPECT_EQ(code_of(cover(code({kPush, kSaveRa, "010000ef", kRet}))), "accepted");
  EXPECT_EQ(code_of(cover(code({"010002ef", kPush, kSaveRa, kRet}), kPc, 4)), "accepted"); // jal t0, +16
}

TEST(Riscv64Cover, DeclinesBetweenReservedLoadAndConditionalStore) {
  // lr.w a5, (a0); c.add a5, a1; sc.w a4, a5, (a0); c.bnez a4, -10; ret
  const Bytes loop = code({"100527af", "97ae", "18f5272f", "fb7d", kRet, kRet});
  EXPECT_EQ(code_of(cover(loop, kPc)), "attach-move");
  EXPECT_EQ(code_of(cover(loop, kPc + 4, 4)), "attach-move");
  EXPECT_EQ(code_of(cover(loop, kPc + 10, 4)), "accepted"); // behind it
}

TEST(Riscv64Cover, TakesAnotherRegisterThanAnArgumentInATemporary) {
  // c.mv a0, t1 reads what somebody passed in t1
  const Result<SiteCover> found = cover(code({"851a", kPush, kSaveRa, kSaveS0, kRet}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->scratch.in, riscv64::t2);
}

TEST(Riscv64Cover, TheWayBackKeepsWhatTheCoveredBytesHavePutInATemporary) {
  // c.li t1, 1; c.li t2, 1; c.addi sp; c.sdsp; c.mv a0, t1; ret
  const Result<SiteCover> found = cover(code({"4305", "4385", kPush, kSaveRa, "851a", kRet}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->scratch.in, riscv64::t1);  // written before it is read
  EXPECT_NE(found->scratch.out, riscv64::t1); // read behind
}

TEST(Riscv64Cover, DeclinesWhereNoRegisterIsFree) {
  // t1 to t6 are all read behind: c.mv a0, tN; the address is not the entry
  const Bytes bytes = code({kNop, kPush, kSaveRa, kSaveS0, kFrame, "851a", "851e", "8572", "8576", "857a", "857e", kRet});
  EXPECT_EQ(code_of(cover(bytes, kPc + 2)), "attach-register");
}

TEST(Riscv64Cover, AJumpToAnotherFunctionMayWantTemporariesUnlessTheyAreFresh) {
  // nop; addi sp; c.sdsp; c.sdsp; c.addi4spn; c.j +1024: a cold part, or a tail call
  const Bytes bytes = code({kNop, kPush, kSaveRa, kSaveS0, kFrame, "a101"});
  EXPECT_EQ(code_of(cover(bytes, kPc + 2)), "attach-register");
  EXPECT_EQ(code_of(cover(bytes, kPc)), "accepted");
}

TEST(Riscv64Cover, MillicodeMayClobberOneRegisterOnly) {
  // auipc t0, 1; jalr t0, 4(t0)
  const Result<SiteCover> found = cover(code({"00001297", "004282e7", kPush, kRet}));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->scratch.out, riscv64::t1);
}

TEST(Riscv64Cover, DeclinesAForeignBreakpoint) {
  EXPECT_EQ(code_of(cover(code({"9002", kSaveRa, kSaveS0, kFrame, kRet}))), "attach-breakpoint");
  EXPECT_EQ(code_of(cover(code({"00100073", kSaveS0, kFrame, kRet}))), "attach-breakpoint");
}

TEST(Riscv64Cover, DeclinesAnAddressInsideAnInstruction) {
  const Bytes bytes = code({kSetA0, kPush, kSaveRa, kSaveS0, kFrame, kRet});
  EXPECT_EQ(code_of(cover(bytes, kPc + 2)), "attach-decode");
}

TEST(Riscv64Decode, RefusesLongAndReservedEncodings) {
  EXPECT_FALSE(riscv64::decode(code({"001f", "0000", "0000"}), kPc));     // 48 bits
  EXPECT_FALSE(riscv64::decode(code({"007f", "0000", "0000", "0000"}), kPc)); // longer
  EXPECT_FALSE(riscv64::decode(code({"0000000b"}), kPc));                 // custom-0
  EXPECT_FALSE(riscv64::decode(code({"2001"}), kPc));                     // c.addiw zero
  EXPECT_FALSE(riscv64::decode(code({"8002"}), kPc));                     // c.jr zero
  EXPECT_EQ(riscv64::decode(code({"c0001073"}), kPc)->kind, InsnClass::trap);
  EXPECT_EQ(riscv64::decode(code({"0000"}), kPc)->kind, InsnClass::trap);
}

TEST(Riscv64Jump, LongOnesReachTwoGibibytes) {
  for (const int64_t distance : {0x12345678ll, -0x12345678ll, 0x7ffff000ll, -0x80000000ll, 2ll, 0x800ll, 0x7ffll}) {
    const uint64_t to = 0x100000000ull + static_cast<uint64_t>(distance);
    const Result<Bytes> jump = riscv64::encode_jump(0x100000000ull, to, {riscv64::t1, 0});
    ASSERT_TRUE(jump) << distance;
    EXPECT_EQ(jump->size(), 8u);
    EXPECT_EQ(riscv64::jump_target(*jump, 0x100000000ull), to);
  }
  EXPECT_FALSE(riscv64::encode_jump(kPc, kPc + 0x80000000ull, {riscv64::t1, 0}));
  EXPECT_FALSE(riscv64::encode_jump(kPc, kPc + 0x1000, {}));
}

TEST(Riscv64Jump, ShortOnesReachOneMebibyte) {
  for (const int64_t distance : {0xffffell, -0x100000ll, 2ll, 0x800ll}) {
    const Result<Bytes> jump = riscv64::encode_short_jump(0x200000, 0x200000 + static_cast<uint64_t>(distance));
    ASSERT_TRUE(jump) << distance;
    EXPECT_EQ(jump->size(), 4u);
    EXPECT_EQ(riscv64::jump_target(*jump, 0x200000), 0x200000 + static_cast<uint64_t>(distance));
  }
  EXPECT_FALSE(riscv64::encode_short_jump(kPc, kPc + 0x100000));
}

TEST(Riscv64LongBranches, AreFoundAtEveryOffset) {
  Bytes text(256);
  const auto put = [&](size_t at, const Bytes& what) { std::copy(what.begin(), what.end(), text.begin() + static_cast<ptrdiff_t>(at)); };
  put(66, code({"fbfff06f"}));             // j -66
  put(130, code({"00000317", "f80300e7"})); // auipc t1, 0; jalr ra, -128(t1)
  put(200, code({"dcd5"}));                // c.beqz s1, -68
  std::vector<LongBranch> found = riscv64::find_long_branches(text, kPc);
  const auto has = [&](LongBranch wanted) { return std::find(found.begin(), found.end(), wanted) != found.end(); };
  EXPECT_TRUE(has({kPc + 0, kPc + 66, false}));
  EXPECT_TRUE(has({kPc + 2, kPc + 130, true}));
  EXPECT_TRUE(has({kPc + 132, kPc + 200, false}));
  EXPECT_EQ(found.size(), 3u);
}

TEST(Riscv64Move, CopiesWhatDoesNotDependOnItsPlace) {
  const Bytes bytes = code({kPush, kSaveRa, kSetA0, kRet});
  const Result<MovedCode> moved = riscv64::move(bytes, kPc, kPc + 0x1000, {riscv64::t1, riscv64::t1});
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->bytes, bytes);
  ASSERT_EQ(moved->map.size(), 4u);
  EXPECT_EQ(moved->map[3].from, 8u);
  EXPECT_EQ(moved->map[3].to, 8u);
}

TEST(Riscv64Move, NeedsARegisterOnlyForWhatIsFar) {
  const Bytes jump = code({"a101"}); // c.j +1024
  EXPECT_TRUE(riscv64::move(jump, kPc, kPc + 0x10000, {}));
  EXPECT_FALSE(riscv64::move(jump, kPc, kPc + 0x1000000, {}));
  EXPECT_TRUE(riscv64::move(jump, kPc, kPc + 0x1000000, {0, riscv64::t1}));
}

} // namespace
} // namespace bpfaot::targets
