// SPDX-License-Identifier: MIT
//
// The instruction table: encode(decode(x)) == x and parse(print(i)) == i over every opcode byte and
// samples of all fields, and what must be refused.
#include "bpf/helpers.h"
#include "bpf/insn.h"

#include <gtest/gtest.h>

#include <set>

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

std::vector<RawInsn> encoded(const Insn& insn) {
  std::vector<RawInsn> out;
  encode(insn, out);
  return out;
}

template <class Visit> void for_each_sample(Visit visit) {
  const int16_t offs[] = {0, 1, -1, 8, 16, 32, 100, -512, INT16_MIN, INT16_MAX};
  const int32_t imms[] = {0,    1,     -1,    2,       16,        32,        64,
                          0x40, 0x41,  0x50,  0x51,    0xa0,      0xa1,      0xe1,
                          0xf1, 0x100, 0x110, 0x10000, 0xbad2310, INT32_MIN, INT32_MAX};
  for (int opcode = 0; opcode < 256; ++opcode)
    for (uint8_t dst : {0, 1, 10, 11})
      for (uint8_t src : {0, 1, 2, 3, 4, 5, 6, 7, 10, 15})
        for (int16_t off : offs)
          for (int32_t imm : imms)
            visit(RawInsn{static_cast<uint8_t>(opcode), dst, src, off, imm});
}

std::string code_of(const RawInsn& raw) {
  const RawInsn slots[] = {raw, RawInsn{}};
  const auto insn = decode(slots);
  return insn ? "" : std::string(code_text(insn.error().code));
}

} // namespace

TEST(Insn, EncodingADecodedSlotGivesTheSlotBack) {
  size_t accepted = 0;
  for_each_sample([&](const RawInsn& raw) {
    for (int32_t high : {0, 7, -1}) {
      const RawInsn slots[] = {raw, RawInsn{0, 0, 0, 0, high}};
      const auto insn = decode(slots);
      if (!insn)
        continue;
      ++accepted;
      ASSERT_TRUE(is_encodable(*insn));
      const auto out = encoded(*insn);
      ASSERT_EQ(out.size(), slot_count(*insn));
      ASSERT_EQ(out[0], raw);
      if (out.size() == 2) {
        ASSERT_EQ(out[1], slots[1]);
      }
    }
  });
  EXPECT_GT(accepted, 100000u);
}

TEST(Insn, ParsingAPrintedInstructionGivesTheInstructionBack) {
  for_each_sample([](const RawInsn& raw) {
    for (int32_t high : {0, 7, -1}) {
      const RawInsn slots[] = {raw, RawInsn{0, 0, 0, 0, high}};
      const auto insn = decode(slots);
      if (!insn)
        continue;
      const std::string text = print(*insn);
      const auto back = parse_insn(text);
      ASSERT_TRUE(back.has_value()) << text;
      ASSERT_EQ(*back, *insn) << text << " became " << print(*back);
    }
  });
}

TEST(Insn, EveryOpcodeOfTheInstructionSetIsKnownAndNoOther) {
  std::set<int> known;
  for_each_sample([&](const RawInsn& raw) {
    if (code_of(raw).empty())
      known.insert(raw.opcode);
  });
  // 4 x 12 arithmetic, 2 neg, 3 swaps, 4 loads and 3 sign-extending ones, 8 stores, 4 atomic sizes,
  // 6 packet loads, lddw, 4 x 11 branches, ja, gotol, may_goto, call, callx, exit.
  EXPECT_EQ(known.size(), 4u * 12 + 2 + 3 + 7 + 8 + 4 + 6 + 1 + 4 * 11 + 6);
  for (int opcode = 0; opcode < 256; ++opcode)
    if (!known.contains(opcode)) {
      const RawInsn raw{static_cast<uint8_t>(opcode)};
      EXPECT_EQ(code_of(raw), "insn-opcode") << opcode;
    }
}

TEST(Insn, PrintsTheKernelsForm) {
  const std::pair<Insn, const char*> cases[] = {
      {Load{Size::b8, false, Reg{1}, kFramePointer, -8}, "r1 = *(u64 *)(r10 -8)"},
      {Load{Size::b1, true, Reg{1}, Reg{2}, 0}, "r1 = *(s8 *)(r2 +0)"},
      {Store{Size::b4, Reg{1}, 4, 7}, "*(u32 *)(r1 +4) = 7"},
      {Alu{AluOp::sdiv, Width::w32, Reg{3}, Reg{4}}, "w3 s/= w4"},
      {Alu{AluOp::mov, Width::w64, Reg{1}, -5}, "r1 = -5"},
      {LoadImm64{Imm64Kind::imm, Reg{1}, 5}, "r1 = 0x5"},
      {Neg{Width::w32, Reg{2}}, "w2 = -w2"},
      {MovSx{Width::w64, 32, Reg{2}, Reg{3}}, "r2 = (s32)r3"},
      {ByteSwap{SwapKind::to_be, 16, Reg{2}}, "r2 = be16 r2"},
      {Branch{Cond::sgt, Width::w32, Reg{2}, 4, 3}, "if w2 s> 0x4 goto pc+3"},
      {Atomic{AtomicOp::add, Size::b8, false, Reg{1}, Reg{2}, 8}, "lock *(u64 *)(r1 +8) += r2"},
      {Atomic{AtomicOp::add, Size::b8, true, Reg{1}, Reg{2}, 8},
       "r2 = atomic64_fetch_add((u64 *)(r1 +8), r2)"},
      {Atomic{AtomicOp::compare_exchange, Size::b4, true, Reg{1}, Reg{2}, 0},
       "r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)"},
      {LoadAcquire{Size::b2, Reg{1}, Reg{2}, 0}, "r1 = load_acquire((u16 *)(r2 +0))"},
      {CallHelper{1}, "call bpf_map_lookup_elem#1"},
      {CallHelper{1006}, "call unknown#1006"},
      {CallLocal{-3}, "call pc-3"},
      {Jump{true, 70000}, "gotol pc+70000"},
      {LegacyPacketLoad{Size::b4, true, Reg{1}, 4}, "r0 = *(u32 *)skb[r1 + 4]"},
      {Exit{}, "exit"},
  };
  for (const auto& [insn, text] : cases)
    EXPECT_EQ(print(insn), text);
}

TEST(Insn, ParsesFreeSpacingAndBareOffsets) {
  EXPECT_EQ(*parse_insn("if r1 == 4 goto +3"), Insn(Branch{Cond::eq, Width::w64, Reg{1}, 4, 3}));
  EXPECT_EQ(*parse_insn("  r1=-5 "), Insn(Alu{AluOp::mov, Width::w64, Reg{1}, -5}));
  EXPECT_EQ(*parse_insn("w1 = 0x10"), Insn(Alu{AluOp::mov, Width::w32, Reg{1}, 16}));
  EXPECT_EQ(*parse_insn("call +2"), Insn(CallLocal{2}));
}

TEST(Insn, RefusesTextThatIsNoInstruction) {
  for (const char* text :
       {"", "r1", "r11 = 0", "r1 = w2", "w1 = *(u64 *)(r2 +0)", "r1 = *(s64 *)(r2 +0)",
        "goto pc+40000", "exit now", "r1 = be24 r1", "if r1 === 2 goto pc+1",
        "*(u8 *)(r1 +0) = 99999999999", "r2 = atomic_fetch_add((u64 *)(r1 +0), r2)",
        "call bpf_map_lookup_elem", "r1 ** 3"}) {
    const auto insn = parse_insn(text);
    ASSERT_FALSE(insn.has_value()) << text;
    EXPECT_EQ(insn.error().code, Code::kInsnText);
  }
}

TEST(Insn, RefusesReservedFieldsAndMissingRegisters) {
  EXPECT_EQ(code_of({0x07, 1, 1, 0, 5}), "insn-reserved"); // r1 += 5 with a source register
  EXPECT_EQ(code_of({0x0f, 1, 2, 0, 5}), "insn-reserved"); // r1 += r2 with an immediate
  EXPECT_EQ(code_of({0x0f, 1, 2, 1, 0}), "insn-reserved"); // sadd does not exist
  EXPECT_EQ(code_of({0x95, 0, 0, 0, 1}), "insn-reserved");
  EXPECT_EQ(code_of({0xdb, 1, 2, 0, 0x30}), "insn-reserved"); // no such atomic
  EXPECT_EQ(code_of({0xd3, 1, 2, 0, 0x00}), "insn-reserved"); // one-byte atomic add
  EXPECT_EQ(code_of({0x85, 0, 3, 0, 1}), "insn-reserved");    // no such call
  EXPECT_EQ(code_of({0xd4, 1, 0, 0, 24}), "insn-reserved");   // le24
  EXPECT_EQ(code_of({0xbf, 11, 1, 0, 0}), "insn-register");
  EXPECT_EQ(code_of({0xbf, 1, 11, 0, 0}), "insn-register");
}

TEST(Insn, RefusesAHalfLddw) {
  const RawInsn alone[] = {{0x18, 1}};
  EXPECT_EQ(decode(alone).error().code, Code::kInsnTruncated);
  const RawInsn second_in_use[] = {{0x18, 1}, {0x95}};
  EXPECT_EQ(decode(second_in_use).error().code, Code::kInsnReserved);
  const RawInsn map_with_high_word[] = {{0x18, 1, 1, 0, 0}, {0, 0, 0, 0, 4}};
  EXPECT_EQ(decode(map_with_high_word).error().code, Code::kInsnReserved);
  EXPECT_EQ(decode({}).error().code, Code::kInsnTruncated);
}

TEST(Tables, NameEveryHelperOfTheKernelAndThoseItDoesNotHave) {
  for (int32_t id = 1; id <= 211; ++id)
    EXPECT_FALSE(kernel_helper_name(id).empty()) << id;
  EXPECT_EQ(helper_name(27), "bpf_get_stackid");
  EXPECT_EQ(helper_name(211), "bpf_cgrp_storage_delete");
  EXPECT_EQ(helper_name(1006), "helper 1006");
  EXPECT_EQ(helper_name(-1), "helper -1");
  EXPECT_EQ(find_helper(1006), nullptr);
  EXPECT_EQ(find_helper(0), nullptr);
}

TEST(Tables, ImplementedHelpersAndMapsHaveTheKernelsNames) {
  for (const HelperInfo& row : all_helpers()) {
    EXPECT_EQ(row.name, kernel_helper_name(row.id));
    EXPECT_EQ(find_helper(row.id), &row);
    for (unsigned i = row.arg_count(); i < 5; ++i)
      EXPECT_EQ(row.args[i], HelperArg::none) << row.name;
  }
  for (const MapTypeInfo& row : all_map_types())
    EXPECT_EQ(row.name, map_type_name(row.type));
  EXPECT_EQ(map_type_name(MapType::stack_trace), "stack_trace");
  EXPECT_EQ(map_type_name(MapType{99}), "map type 99");
  EXPECT_EQ(map_class_of(MapType::ringbuf), map_class::ringbuf);
}
