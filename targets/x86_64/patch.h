// SPDX-License-Identifier: MIT
//
// x86_64 code as the loader must understand it: lengths and classes of all instructions of 64-bit
// mode, and how to move one. No disassembler: operands are looked at only where moving needs it.
#pragma once

#include "targets/patch.h"

namespace bpfaot::targets::x86_64 {

// All that length decoding finds out; offsets count from the instruction's first byte.
struct Decoded {
  Insn insn;
  uint8_t prefix_end = 0;   // first byte behind legacy prefixes and REX
  uint8_t opcode = 0;       // last opcode byte
  uint8_t opcode_offset = 0;
  uint8_t map = 0;          // 0 one-byte, 1 0F, 2 0F38, 3 0F3A, others VEX/EVEX/XOP maps
  bool vex = false;         // VEX, EVEX or XOP
  bool has_modrm = false;
  uint8_t modrm = 0;
  uint8_t modrm_offset = 0;
  bool has_sib = false;
  uint8_t sib = 0;
  uint8_t disp_offset = 0, disp_size = 0;
  uint8_t imm_offset = 0, imm_size = 0;
  bool operand_size = false; // 66
  bool address_size = false; // 67
  bool rex_w = false;
  bool rex_b = false;
};

std::optional<Decoded> decode_full(std::span<const uint8_t> bytes, uint64_t pc);
std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc);
Result<SiteCover> cover(const SiteRequest& request);
std::vector<LongBranch> find_long_branches(std::span<const uint8_t> text, uint64_t pc);
std::vector<LongBranch> find_branches_into(std::span<const uint8_t> text, uint64_t pc, uint64_t low,
                                           uint64_t high);
Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch = {});
Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch = {});
std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from);
Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t to);
uint32_t padding(std::span<const uint8_t> bytes);
Result<Trampoline> make_trampoline(const TrampolineRequest& request);
RemoteStub make_remote_stub(const RemoteStubRequest& request);
SupportCode support();
ProcessFacts facts(uint64_t hwcap2);

extern const Patcher kPatcher;

} // namespace bpfaot::targets::x86_64
