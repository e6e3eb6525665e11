// SPDX-License-Identifier: MIT
//
// Widening, for loops that end by may_goto alone: their numbers change in every iteration, and the
// run-time budget that ends them is far beyond what a walk can repeat. A bound that grows moves to
// the next constant that the program compares with, and at last to where numbers end, so that an
// invariant is found in few iterations. Whatever widening gives includes the state it was given;
// nothing else is claimed, and nothing else is needed for soundness.
#pragma once

#include "bpf/program.h"
#include "verifier/liveness.h"
#include "verifier/state.h"

#include <optional>
#include <vector>

namespace bpfaot::verifier {

// Where bounds may stop.
class Thresholds {
public:
  explicit Thresholds(const bpf::Program& program);
  Scalar widen(const Scalar& old_value, const Scalar& new_value) const;

private:
  std::vector<int64_t> values_; // sorted
  template <class Int> Int at_least(Int x) const;
  template <class Int> Int at_most(Int x) const;
};

// A state that includes `next`, with each number that `old_state` did not include moved on.
// Nothing when the two differ in more than numbers.
std::optional<State> widen(const State& old_state, State next, const Thresholds& thresholds);

// Numbers that `demand` does not ask for are forgotten, so that states that differ only in these are
// walked once.
void widen_undemanded(State& state, const Demand& demand);

} // namespace bpfaot::verifier
