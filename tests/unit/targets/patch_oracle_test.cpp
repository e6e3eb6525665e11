// SPDX-License-Identifier: MIT
//
// The x86_64 decoder against capstone, over all code of real libraries and programs, and against
// random bytes that end at the last byte of a page.
#include "targets/x86_64/patch.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace bpfaot::targets {
namespace {

std::vector<uint8_t> read_whole(const char* path) {
  std::vector<uint8_t> bytes;
  if (FILE* file = std::fopen(path, "rb")) {
    uint8_t buffer[65536];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
      bytes.insert(bytes.end(), buffer, buffer + got);
    }
    std::fclose(file);
  }
  return bytes;
}

struct Text {
  std::span<const uint8_t> bytes;
  uint64_t address;
};

std::vector<Text> code_sections(const std::vector<uint8_t>& file) {
  std::vector<Text> list;
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, &file[header.e_shoff + static_cast<uint64_t>(i) * sizeof section], sizeof section);
    if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0) {
      list.push_back({std::span(file).subspan(section.sh_offset, section.sh_size), section.sh_addr});
    }
  }
  return list;
}

InsnClass capstone_class(csh handle, const cs_insn& insn) {
  const bool direct = insn.detail->x86.op_count == 1 && insn.detail->x86.operands[0].type == X86_OP_IMM;
  if (insn.id == X86_INS_ENDBR64) return InsnClass::landing_pad;
  if (insn.id == X86_INS_INT3 || insn.id == X86_INS_INT1) return InsnClass::breakpoint;
  if (insn.id == X86_INS_SYSCALL || insn.id == X86_INS_SYSENTER || insn.id == X86_INS_INT) return InsnClass::syscall;
  if (insn.id == X86_INS_UD2 || insn.id == X86_INS_HLT) return InsnClass::trap;
  if (insn.id == X86_INS_NOP) return InsnClass::nop;
  if (cs_insn_group(handle, &insn, X86_GRP_RET) || cs_insn_group(handle, &insn, X86_GRP_IRET)) return InsnClass::ret;
  if (cs_insn_group(handle, &insn, X86_GRP_CALL)) return direct ? InsnClass::call : InsnClass::indirect_call;
  if (insn.id == X86_INS_JMP || insn.id == X86_INS_LJMP) return direct ? InsnClass::jump : InsnClass::indirect_jump;
  if (cs_insn_group(handle, &insn, X86_GRP_JUMP) || insn.id == X86_INS_LOOP || insn.id == X86_INS_LOOPE ||
      insn.id == X86_INS_LOOPNE || insn.id == X86_INS_XBEGIN) {
    return InsnClass::branch;
  }
  return InsnClass::other;
}

struct Tally {
  uint64_t insns = 0, wrong = 0;
};

void compare(csh handle, cs_insn* insn, const Text& text, Tally& tally) {
  const uint8_t* code = text.bytes.data();
  size_t left = text.bytes.size();
  uint64_t address = text.address;
  while (left > 0) {
    if (!cs_disasm_iter(handle, &code, &left, &address, insn)) {
      ++code, --left, ++address; // capstone knows no such instruction
      continue;
    }
    ++tally.insns;
    const std::span<const uint8_t> bytes = text.bytes.subspan(insn->address - text.address);
    const std::optional<Insn> ours = x86_64::decode(bytes, insn->address);
    const cs_x86& x86 = insn->detail->x86;
    bool same = ours && ours->length == insn->size && ours->kind == capstone_class(handle, *insn);
    if (same && ours->has_target) {
      same = ours->target == static_cast<uint64_t>(x86.operands[0].imm);
    }
    if (same) {
      same = ours->pc_relative == ((x86.modrm & 0xc7) == 5 && x86.encoding.modrm_offset != 0);
    }
    if (!same && ++tally.wrong <= 20) {
      std::string hex;
      for (int i = 0; i < insn->size; ++i) {
        char two[4];
        std::snprintf(two, sizeof two, "%02x ", insn->bytes[i]);
        hex += two;
      }
      ADD_FAILURE() << hex << insn->mnemonic << " " << insn->op_str << ": length "
                    << (ours ? int{ours->length} : 0) << " of " << insn->size << ", class "
                    << (ours ? static_cast<int>(ours->kind) : -1) << " of "
                    << static_cast<int>(capstone_class(handle, *insn));
    }
  }
}

class DecoderOracle : public testing::TestWithParam<const char*> {};

TEST_P(DecoderOracle, AgreesWithCapstoneOnEveryInstruction) {
  const std::vector<uint8_t> file = read_whole(GetParam());
  if (file.size() < sizeof(Elf64_Ehdr) || std::memcmp(file.data(), ELFMAG, 4) != 0 || file[18] != EM_X86_64) {
    GTEST_SKIP() << "no x86_64 file " << GetParam();
  }
  csh handle = 0;
  ASSERT_EQ(cs_open(CS_ARCH_X86, CS_MODE_64, &handle), CS_ERR_OK);
  cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
  cs_insn* insn = cs_malloc(handle);
  Tally tally;
  for (const Text& text : code_sections(file)) {
    compare(handle, insn, text, tally);
  }
  cs_free(insn, 1);
  cs_close(&handle);
  EXPECT_GT(tally.insns, 10000u);
  EXPECT_EQ(tally.wrong, 0u) << "of " << tally.insns;
}

INSTANTIATE_TEST_SUITE_P(Files, DecoderOracle,
                         testing::Values("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6",
                                         "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/bin/perl", "/bin/bash"));

TEST(Decoder, NeverReadsBehindItsBytes) {
  const size_t page = 4096;
  auto* area = static_cast<uint8_t*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(area, MAP_FAILED);
  ASSERT_EQ(mprotect(area + page, page, PROT_NONE), 0);
  std::mt19937_64 random(7);
  for (int i = 0; i < 300000; ++i) {
    const size_t size = random() % 18;
    uint8_t* bytes = area + page - size;
    for (size_t k = 0; k < size; ++k) {
      bytes[k] = static_cast<uint8_t>(random());
    }
    if (size > 0 && i % 3 == 0) {
      static constexpr uint8_t kLeads[] = {0x0f, 0xc4, 0xc5, 0x62, 0x66, 0xf2, 0x8f, 0x67, 0x48};
      bytes[0] = kLeads[random() % sizeof kLeads];
    }
    const std::optional<Insn> insn = x86_64::decode({bytes, size}, 0x1000);
    if (insn) {
      ASSERT_LE(insn->length, size);
      ASSERT_GE(insn->length, 1);
    }
    SiteRequest request{{bytes, size}, 0x1000, size, 0, 0x1000};
    const Result<SiteCover> covered = x86_64::cover(request);
    if (covered) {
      ASSERT_LE(covered->size, size);
      (void)x86_64::move({bytes + (covered->patch_pc - 0x1000), covered->size}, covered->patch_pc, 0x20000);
    }
  }
  munmap(area, 2 * page);
}

} // namespace
} // namespace bpfaot::targets
