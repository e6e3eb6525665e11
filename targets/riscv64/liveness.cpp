// SPDX-License-Identifier: MIT
//
// Which temporary registers a long jump may use. There is no jump of more than 1 MiB on this machine
// that leaves all registers alone, and nothing below the stack pointer belongs to the function. So a
// register is needed whose value is never read again: backward data flow over the function's
// instructions, with everything that cannot be followed taken to read all.
//
// What the calling convention adds (RISC-V ELF psABI): t1, t3 to t6 are nothing to a callee and
// nothing after a call; t2 is nothing after a call, but nested functions get their frame in it; t0 is
// the return address of millicode (`jal t0`) and is never used here. gcc has no inter-procedural
// register allocation on this machine, and what the linker relaxes uses t1 itself.
#include "targets/riscv64/patch.h"

namespace bpfaot::targets::riscv64 {
namespace {

constexpr RegMask bit(unsigned reg) { return RegMask{1} << reg; }
constexpr RegMask kTemporaries = bit(t1) | bit(t2) | bit(t3) | bit(t4) | bit(t5) | bit(t6);
constexpr RegMask kReadByCallees = bit(t2);

} // namespace

Liveness::Liveness(const SiteRequest& request) : pc_(request.pc) {
  size_ = request.function_size != 0 ? request.function_size : request.code.size();
  nodes_.resize(size_ / 2);
  for (uint64_t at = 0; at + 1 < size_; at += 2) {
    const std::optional<Decoded> decoded =
        decode_full(request.code.subspan(at, size_ - at), request.pc + at);
    if (!decoded) {
      continue;
    }
    Node& node = nodes_[at / 2];
    const InsnClass kind = decoded->insn.kind;
    node.length = decoded->insn.length;
    node.reads = decoded->reads & kTemporaries;
    node.writes = decoded->writes & kTemporaries;
    node.falls = !ends_flow(kind);
    if (kind == InsnClass::call || kind == InsnClass::indirect_call) {
      if (decoded->rd == ra) {
        node.reads |= kReadByCallees;
        node.writes |= kTemporaries;
      } else if (decoded->rd != t0) { // millicode and the like leave the others alone
        node.reads |= kTemporaries;
      }
    } else if (kind == InsnClass::indirect_jump) {
      node.anywhere = true;
      node.reads |= decoded->rs1 == t0 ? kTemporaries : kReadByCallees;
    } else if (decoded->insn.has_target) {
      node.has_target = true;
      node.target = decoded->insn.target;
    }
    if (kind == InsnClass::syscall) {
      node.writes = 0; // the kernel keeps them
    }
  }
  live_ = solve(kTemporaries);
  live_fresh_ = solve(kReadByCallees);
}

std::vector<RegMask> Liveness::solve(RegMask outside) const {
  std::vector<RegMask> live(nodes_.size(), 0);
  RegMask read_anywhere = 0; // where a jump table may lead
  for (const Node& node : nodes_) {
    read_anywhere |= node.reads;
  }
  const auto at = [&](uint64_t offset) {
    if (offset >= nodes_.size() * 2 || offset % 2 != 0) {
      return outside;
    }
    return nodes_[offset / 2].length == 0 ? kTemporaries : live[offset / 2];
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = nodes_.size(); i-- > 0;) {
      const Node& node = nodes_[i];
      if (node.length == 0) {
        continue;
      }
      RegMask out = node.falls ? at(i * 2 + node.length) : 0;
      out |= node.has_target ? at(node.target - pc_) : 0;
      out |= node.anywhere ? read_anywhere : 0;
      const RegMask in = (out & ~node.writes) | node.reads;
      changed |= in != live[i];
      live[i] = in;
    }
  }
  return live;
}

RegMask Liveness::free_at(uint64_t pc, RegMask fresh) const {
  const uint64_t index = (pc - pc_) / 2;
  if (index >= nodes_.size()) {
    return free_outside(fresh);
  }
  if (nodes_[index].length == 0) {
    return 0;
  }
  return kTemporaries & (~live_[index] | (fresh & ~live_fresh_[index]));
}

RegMask Liveness::free_outside(RegMask fresh) const { return kTemporaries & fresh & ~kReadByCallees; }

} // namespace bpfaot::targets::riscv64
