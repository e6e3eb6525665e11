// SPDX-License-Identifier: MIT
//
// Which registers and stack bytes may still be read after a point: a backwards pass over each
// function before the walk, so that the comparison of states can ignore what is dead.
//
// Registers are exact up to paths. Stack bytes are an optimistic guess: reads are recognised where
// the address is r10 plus a constant that the pass can follow, or where such a pointer is handed
// to a call. The walk, which knows every address, checks each read against the guess
// (covers_stack_read) and starts again with all bytes live when it finds a read that the guess
// missed. Why that is enough: a byte is ignored at P only if it is not live before P. Suppose a
// pruned state reads it at Q first. The covering state includes the pruned one in everything that
// was read up to Q, so the walk took the same step from it and performed this read at Q, where it
// was checked: the byte is live before Q. Liveness flows backwards from Q to P unless a store
// kills it on the way, and only stores to r10 plus a constant that write the byte on every
// execution kill. So it is live at P.
#pragma once

#include "bpf/program.h"
#include "verifier/state.h"

#include <vector>

namespace bpfaot::verifier {

struct LiveSet {
  uint16_t regs = 0;
  StackBytes stack;
  bool operator==(const LiveSet&) const = default;
};

class Liveness {
public:
  // With `all_stack` every stack byte is live everywhere.
  Liveness(const bpf::Program& program, bool all_stack);
  const LiveSet& before(bpf::InsnIndex insn) const { return before_[insn.value]; }

private:
  std::vector<LiveSet> before_;
};

// Which numbers can matter for a verdict after a point: those that may come to decide a branch, an
// address or an argument of a helper. A guess: what a function does with the caller's stack is not
// followed, and neither is memory. It is for choosing what to widen (verifier/widen.h), which is
// sound whatever is chosen.
class Demand {
public:
  explicit Demand(const bpf::Program& program);
  const LiveSet& before(bpf::InsnIndex insn) const { return before_[insn.value]; }

private:
  std::vector<LiveSet> before_;
};

} // namespace bpfaot::verifier
