// SPDX-License-Identifier: MIT
//
// The x86_64 decoder against capstone, over all code of real libraries and programs, and against
// random bytes that end at the last byte of a page.
#include "targets/x86_64/patch.h"
#include "tests/unit/targets/decoder_oracle.h"

#include <sys/mman.h>

#include <random>

namespace bpfaot::targets {
namespace {

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

oracle::Expected expect(csh handle, const cs_insn& insn) {
  const cs_x86& x86 = insn.detail->x86;
  oracle::Expected expected{capstone_class(handle, insn), (x86.modrm & 0xc7) == 5 && x86.encoding.modrm_offset != 0, {}};
  if (expected.kind == InsnClass::jump || expected.kind == InsnClass::branch || expected.kind == InsnClass::call) {
    expected.target = static_cast<uint64_t>(x86.operands[0].imm);
  }
  return expected;
}

class DecoderOracle : public testing::TestWithParam<const char*> {};

TEST_P(DecoderOracle, AgreesWithCapstoneOnEveryInstruction) {
  oracle::expect_agreement({&x86_64::kPatcher, CS_ARCH_X86, CS_MODE_64, 1, expect}, GetParam());
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
