// SPDX-License-Identifier: MIT
//
// States that were met at points where paths join, for pruning and for noticing endless loops.
//
// A node is open while a path that passed through it is still being walked. A new state is pruned
// only if a closed node includes it: an open one proves nothing about termination. A new state
// that equals an open node (each includes the other) has come back to where it was: the loop has
// no bound that walking can find. Open nodes are always ancestors of the current path, because
// pending branches are walked last in, first out.
//
// Some loops end at run time, whatever their state: each iteration takes one from a budget, that of
// a call of a function with may_goto, of a call of a helper that calls back, or of an iterator. So
// states at such places are kept apart: one that includes a new state with the same budget covers
// the next iteration even while it is open itself, and coming back elsewhere with nothing changed
// is no fault when a budget that both states have has paid for it. A budget that is gone excuses
// nothing: the next call or iterator has a whole one again.
//
// Why that is enough. Take an execution that never ends and follow it through the walk, from pruned
// states to those that cover them. It goes round forever, and so through covered iterations, since
// everything else leads to states whose paths ended earlier. Of the budgets that it takes from each
// time round, consider the one whose scope, the paths that begin where it is made, ends last. The
// way round never leaves that scope, so it does not make that budget anew; and a state with another
// budget is covered by one of this scope only when the scope is finished (Scopes), which it is not.
// So one budget pays each time, and it is finite.
#pragma once

#include "verifier/inclusion.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace bpfaot::verifier {

struct Node {
  State state;
  std::shared_ptr<Node> parent;
  uint32_t open_paths = 0;
  uint32_t hits = 0, misses = 0;
};

class Thresholds;

enum class Visit : uint8_t { go_on, covered, endless };

class Explored final : public Scopes {
public:
  Explored(const bpf::Program& program, const Liveness& liveness);

  bool is_join_point(bpf::InsnIndex insn) const { return join_points_[insn.value]; }
  // At a join point. `parent` is the last node of the current path and moves to a new node when
  // one is recorded. `unwritten` as for includes().
  Visit visit(const State& state, std::shared_ptr<Node>& parent,
              std::vector<UnwrittenBytes>& unwritten);
  // At a place that takes from `budget` (an identity), or at a helper that has called its callback
  // `calls` times: whether the next iteration is covered, by one of the same budget that as many or
  // more may follow. If not, `state` is what to walk
  // it with: widened when `thresholds` are given and an earlier iteration differs in numbers only.
  bool covers_iteration(State& state, uint32_t budget, uint64_t calls, const Thresholds* thresholds,
                        std::vector<UnwrittenBytes>& unwritten);
  // A budget is made on the current path; what its scope is, is known from `parent`, which moves.
  void open_scope(uint32_t budget, std::shared_ptr<Node>& parent);
  bool is_finished(uint32_t budget) const override;
  bool has_may_goto(bpf::FuncId func) const override { return has_may_goto_[func.value]; }
  void count_step(bool is_jump) {
    ++steps_since_record_;
    jumps_since_record_ += is_jump;
  }
  // A path that holds `node` as its last one begins or ends.
  static void path_begins(const std::shared_ptr<Node>& node);
  void path_ends(std::shared_ptr<Node> node);
  uint64_t bytes() const { return bytes_; }

private:
  struct Iteration {
    State state;
    uint32_t budget;
    uint64_t calls;
  };
  void record(const State& state, std::shared_ptr<Node>& parent);

  const Liveness& liveness_;
  std::vector<bool> join_points_;
  std::vector<std::vector<std::shared_ptr<Node>>> nodes_;  // by instruction
  std::map<bpf::InsnIndex, std::deque<Iteration>> iterations_; // oldest first
  std::map<uint32_t, std::shared_ptr<Node>> scopes_; // by budget
  std::vector<bool> has_may_goto_;                   // by function
  uint64_t bytes_ = 0;
  uint32_t steps_since_record_ = 0, jumps_since_record_ = 0;
};

} // namespace bpfaot::verifier
