// SPDX-License-Identifier: MIT
//
// aarch64 code as the loader must understand it: classes of all instructions, and how to move one.
// Encodings: Arm Architecture Reference Manual for A-profile, C4 (top-level tables) and C6.
#pragma once

#include "targets/patch.h"

namespace bpfaot::targets::aarch64 {

// What moving and covering look at besides the class.
enum class Form : uint8_t {
  other,
  b,                // b, bl
  conditional,      // b.cond, bc.cond: 19 bits of displacement
  compare_branch,   // cbz, cbnz: 19 bits
  test_branch,      // tbz, tbnz: 14 bits
  branch_register,  // br, blr, ret and their authenticating forms
  adr,
  adrp,
  load_literal,     // ldr, ldrsw, prfm
  load_exclusive,
  store_exclusive,
  clear_exclusive,
  sign_a, sign_b,   // paciasp, pacibsp
  tied_to_pc,       // behaves differently elsewhere, in a way that cannot be made up for
};

struct Decoded {
  Insn insn;
  Form form = Form::other;
  uint32_t word = 0;
};

// SiteCover::signing
enum : uint8_t { kUnsigned = 0, kSignedA = 1, kSignedB = 2 };

std::optional<Decoded> decode_word(uint32_t word, uint64_t pc);
std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc);
Result<SiteCover> cover(const SiteRequest& request);
std::vector<LongBranch> find_long_branches(std::span<const uint8_t> text, uint64_t pc);
Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch scratch = {});
Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch scratch = {});
std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from);
Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t to);
uint32_t padding(std::span<const uint8_t> bytes);
Result<Trampoline> make_trampoline(const TrampolineRequest& request);
SupportCode support();
ProcessFacts facts(uint64_t hwcap2);
RemoteStub make_remote_stub(const RemoteStubRequest& request);

extern const Patcher kPatcher;

} // namespace bpfaot::targets::aarch64
