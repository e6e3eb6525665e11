// SPDX-License-Identifier: MIT
//
// Is every execution that a new state stands for also one that an old state stands for? Then the
// walk from the old state has already covered it. Only what is live is compared.
//
// Facts stay covered too: they are joined from the states that were walked. Whatever a pruned
// execution holds in a live register at a later instruction, the old state's walk held a superset
// of it at that instruction and has joined it. Dead registers have no facts. One fact is not a
// superset by itself: a byte that is unwritten in the new state and written in the old one is
// readable without ever being reported; inclusion() therefore returns such bytes, to be zeroed.
#pragma once

#include "verifier/liveness.h"
#include "verifier/state.h"

#include <vector>

namespace bpfaot::verifier {

struct UnwrittenBytes {
  bpf::FuncId func;
  StackBytes bytes;
};

// What takes from a budget has a life during which it may: a call with may_goto in it, a call of a
// helper that calls back, an iterator. Its scope is finished when every path that began in it has
// ended. Why inclusion must ask: see explored.h.
class Scopes {
public:
  virtual bool is_finished(uint32_t id) const = 0;
  virtual bool has_may_goto(bpf::FuncId func) const = 0;

protected:
  ~Scopes() = default;
};

// Both states are at the same pc. On success `unwritten` (may be null) has the bytes that the new
// state reaches unwritten.
bool includes(const State& old_state, const State& new_state, const Liveness& liveness,
              const Scopes& scopes, std::vector<UnwrittenBytes>* unwritten);

} // namespace bpfaot::verifier
