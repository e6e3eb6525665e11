// SPDX-License-Identifier: MIT
//
// riscv64 code as the loader must understand it: RV64GC and what is harmless of the extensions that
// application processors have. Compressed instructions are decoded to what they stand for, so that
// moving code knows one form of each.
#pragma once

#include "targets/patch.h"

namespace bpfaot::targets::riscv64 {

enum Reg : uint8_t {
  zero, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5,
  a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6,
};

using RegMask = uint32_t; // bit n = xn

enum class Op : uint8_t { plain, auipc, jal, jalr, branch, load_reserved, store_conditional };

struct Decoded {
  Insn insn;
  Op op = Op::plain;
  uint8_t rd = 0, rs1 = 0, rs2 = 0; // of everything but plain
  uint8_t condition = 0;            // funct3 of a branch
  int64_t imm = 0;                  // of auipc (shifted), jal, jalr, branch
  // Integer registers. Nothing that is read is missing; a register that is written may be: it then
  // counts as kept.
  RegMask reads = 0, writes = 0;
};

std::optional<Decoded> decode_full(std::span<const uint8_t> bytes, uint64_t pc);
std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc);

// Temporary registers (t1 to t6) whose value nobody can want, at one offset of the request's code.
// A temporary holds nothing at a function's entry, behind a call and behind the function's end; t2
// may carry a static chain, and t0 is a link register, so neither is free where a call is made.
class Liveness {
public:
  explicit Liveness(const SiteRequest& request);
  // `fresh`: registers that still hold what they held at the function's entry, that is, nothing; a
  // jump out of the function cannot make them wanted.
  RegMask free_at(uint64_t pc, RegMask fresh) const;
  // Behind the function: of a tail call, a jump to a cold part, or the next function.
  RegMask free_outside(RegMask fresh) const;

private:
  struct Node {
    RegMask reads = 0, writes = 0;
    uint64_t target = 0;
    uint8_t length = 0; // 0 = no instruction begins here
    bool falls = true, has_target = false, anywhere = false;
  };
  std::vector<RegMask> solve(RegMask outside) const;

  uint64_t pc_, size_;
  std::vector<Node> nodes_; // by offset / 2
  std::vector<RegMask> live_, live_fresh_;
};

Result<SiteCover> cover(const SiteRequest& request);
std::vector<LongBranch> find_long_branches(std::span<const uint8_t> text, uint64_t pc);
Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch scratch);
Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch scratch);
std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from);
Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t to);
uint32_t padding(std::span<const uint8_t> bytes);
Result<Trampoline> make_trampoline(const TrampolineRequest& request);
SupportCode support();
ProcessFacts facts(uint64_t hwcap2);

extern const Patcher kPatcher;
RemoteStub make_remote_stub(const RemoteStubRequest& request);

} // namespace bpfaot::targets::riscv64
