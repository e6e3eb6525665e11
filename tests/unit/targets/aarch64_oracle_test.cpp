// SPDX-License-Identifier: MIT
//
// The aarch64 decoder against capstone, over all code of the cross compiler's libraries, and against
// words of every kind.
#include "targets/aarch64/patch.h"
#include "tests/unit/targets/decoder_oracle.h"

#include <map>
#include <random>

namespace bpfaot::targets {
namespace {

InsnClass capstone_class(csh handle, const cs_insn& insn) {
  uint32_t word = 0;
  std::memcpy(&word, insn.bytes, 4);
  const std::string name = insn.mnemonic;
  switch (insn.id) {
  case ARM64_INS_B: return insn.detail->arm64.cc == ARM64_CC_INVALID ? InsnClass::jump : InsnClass::branch;
  case ARM64_INS_CBZ: case ARM64_INS_CBNZ: case ARM64_INS_TBZ: case ARM64_INS_TBNZ: return InsnClass::branch;
  case ARM64_INS_BL: return InsnClass::call;
  case ARM64_INS_BLR: return InsnClass::indirect_call;
  case ARM64_INS_BR: return InsnClass::indirect_jump;
  case ARM64_INS_RET: case ARM64_INS_ERET: return InsnClass::ret;
  case ARM64_INS_SVC: return InsnClass::syscall;
  case ARM64_INS_BRK: return InsnClass::breakpoint;
  case ARM64_INS_HLT: case ARM64_INS_DCPS1: case ARM64_INS_DCPS2: case ARM64_INS_DCPS3: case ARM64_INS_DRPS:
    return InsnClass::trap;
  default: break;
  }
  if (name == "udf") return InsnClass::trap;
  if (name == "nop") return InsnClass::nop;
  const bool is_hint = name == "hint" && insn.detail->arm64.op_count == 1;
  const int64_t hint = is_hint ? insn.detail->arm64.operands[0].imm : -1;
  if (hint == 25 || hint == 27 || (hint >= 32 && hint <= 38 && hint % 2 == 0)) return InsnClass::landing_pad;
  if (name == "paciasp" || name == "pacibsp" || name.starts_with("bti")) return InsnClass::landing_pad;
  if (name.starts_with("blra")) return InsnClass::indirect_call;
  if (name.starts_with("bra") && name != "brk") return InsnClass::indirect_jump;
  if (name.starts_with("reta")) return InsnClass::ret;
  (void)handle;
  return InsnClass::other;
}

oracle::Expected expect(csh handle, const cs_insn& insn) {
  oracle::Expected expected{capstone_class(handle, insn), false, {}};
  const cs_arm64& arm64 = insn.detail->arm64;
  const bool leads = expected.kind == InsnClass::jump || expected.kind == InsnClass::branch || expected.kind == InsnClass::call;
  uint32_t word = 0;
  std::memcpy(&word, insn.bytes, 4);
  const bool literal = (word & 0x3b000000) == 0x18000000;
  expected.pc_relative = insn.id == ARM64_INS_ADR || insn.id == ARM64_INS_ADRP || literal;
  if (leads || expected.pc_relative) {
    expected.target = static_cast<uint64_t>(arm64.operands[arm64.op_count - 1].imm);
  }
  return expected;
}

const oracle::Machine kMachine = {&aarch64::kPatcher, CS_ARCH_ARM64, CS_MODE_ARM, 4, expect};

class Aarch64DecoderOracle : public testing::TestWithParam<const char*> {};

TEST_P(Aarch64DecoderOracle, AgreesWithCapstoneOnEveryInstruction) {
  oracle::expect_agreement(kMachine, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Files, Aarch64DecoderOracle,
                         testing::Values("/usr/aarch64-linux-gnu/lib/libc.so.6", "/usr/aarch64-linux-gnu/lib/libm.so.6",
                                         "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
                                         "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1"));

// Every word that capstone takes for a branch is one for us, with the same target. What we take for
// no instruction may be one of a newer architecture.
TEST(Aarch64Decoder, TakesNoBranchForSomethingElse) {
  std::mt19937 random(11);
  std::vector<uint8_t> code;
  for (int i = 0; i < 400000; ++i) {
    uint32_t word = random();
    if (i % 2 == 0) { // branches, exception generating and system instructions
      word = (word & ~0x1c000000u) | 0x14000000;
    }
    if (i % 8 == 0) { // branches to a register
      word = 0xd61f0000 | (random() & 0x01e00fff);
    }
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(&word);
    code.insert(code.end(), bytes, bytes + 4);
  }
  csh handle = 0;
  ASSERT_EQ(cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &handle), CS_ERR_OK);
  cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
  cs_insn* insn = cs_malloc(handle);
  uint64_t branches = 0;
  for (uint64_t at = 0; at < code.size(); at += 4) {
    const uint8_t* from = &code[at];
    size_t left = 4;
    uint64_t address = 0x40000000 + at;
    const std::optional<Insn> ours = aarch64::decode({from, 4}, address);
    if (!cs_disasm_iter(handle, &from, &left, &address, insn) || !ours) {
      continue;
    }
    const oracle::Expected theirs = expect(handle, *insn);
    branches += theirs.kind != InsnClass::other;
    ASSERT_EQ(ours->kind, theirs.kind) << std::hex << *reinterpret_cast<const uint32_t*>(&code[at]) << " " << insn->mnemonic;
    ASSERT_EQ(ours->pc_relative, theirs.pc_relative) << insn->mnemonic << " " << insn->op_str;
    if (theirs.target) {
      ASSERT_EQ(ours->target, *theirs.target) << insn->mnemonic << " " << insn->op_str;
    }
  }
  cs_free(insn, 1);
  cs_close(&handle);
  EXPECT_GT(branches, 80000u);
}

TEST(Aarch64Decoder, NeverReadsBehindItsBytes) {
  for (size_t size = 0; size < 4; ++size) {
    const std::vector<uint8_t> bytes(size, 0x14);
    EXPECT_FALSE(aarch64::decode(bytes, 0x1000));
    EXPECT_FALSE(aarch64::cover({bytes, 0x1000, size, 0, 0x1000}));
  }
}

// All functions of the C library: what is declined at their entries, and why.
TEST(Aarch64Cover, TakesEveryFunctionOfTheCLibrary) {
  const std::vector<uint8_t> file = read_whole("/usr/aarch64-linux-gnu/lib/libc.so.6");
  if (!is_elf_of(file, EM_AARCH64)) {
    GTEST_SKIP() << "no aarch64 libc";
  }
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), &file[header.e_shoff], sections.size() * sizeof sections[0]);
  std::map<std::string, int> declined;
  int accepted = 0;
  for (const Elf64_Shdr& section : sections) {
    for (uint64_t at = 0; section.sh_type == SHT_DYNSYM && at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, &file[section.sh_offset + at], sizeof symbol);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == 0 || symbol.st_size == 0) {
        continue;
      }
      const Elf64_Shdr& home = sections[symbol.st_shndx];
      const std::span<const uint8_t> code =
          std::span(file).subspan(home.sh_offset + (symbol.st_value - home.sh_addr), symbol.st_size);
      const Result<SiteCover> cover = aarch64::cover({code, symbol.st_value, symbol.st_size, 0, symbol.st_value});
      if (!cover) {
        ++declined[std::string(code_text(cover.error().code))];
        continue;
      }
      const Result<MovedCode> moved = aarch64::move(code.subspan(cover->patch_pc - symbol.st_value, 4), cover->patch_pc,
                                                    cover->patch_pc + (120 << 20));
      moved ? ++accepted : ++declined[std::string(code_text(moved.error().code))];
    }
  }
  std::string counts;
  for (const auto& [code, count] : declined) {
    counts += code + " " + std::to_string(count) + ", ";
  }
  std::printf("accepted %d, declined: %s\n", accepted, counts.c_str());
  EXPECT_GT(accepted, 2000);
  EXPECT_TRUE(declined.empty()) << counts;
}

} // namespace
} // namespace bpfaot::targets
