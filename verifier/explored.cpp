// SPDX-License-Identifier: MIT
//
// When to record a state and when to forget one. Both only decide how much work is saved: recording
// less or forgetting earlier never changes a verdict except into "step limit". The thresholds were
// chosen by the number of steps on real programs.
#include "verifier/explored.h"

#include "bpf/helpers.h"
#include "verifier/widen.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr uint32_t kMinSteps = 8, kMinJumps = 2;            // between records on one path
constexpr uint32_t kMinLoopSteps = 100, kMinLoopJumps = 20; // within a loop that is still open
constexpr uint32_t kPatience = 3;  // misses per hit before a node is dropped
constexpr size_t kIterations = 64; // remembered at one may_goto

// Whether a budget that both states have has paid between them.
bool has_paid(const State& earlier, const State& now) {
  const size_t count = std::min(earlier.frames.size(), now.frames.size());
  for (size_t f = 0; f < count; ++f) {
    const Frame &was = earlier.frames[f], &is = now.frames[f];
    if (was.activation == is.activation && was.may_gotos != is.may_gotos)
      return true;
    if (was.helper_call != 0 && was.helper_call == is.helper_call && was.calls != is.calls)
      return true;
    for (size_t i = 0; i < std::min(was.stack.size(), is.stack.size()); ++i)
      if (was.stack[i].object.kind == StackObject::Kind::num_iterator &&
          was.stack[i].object.id == is.stack[i].object.id &&
          was.stack[i].object.taken != is.stack[i].object.taken)
        return true;
  }
  return false;
}

// After the call of a helper with a callback the paths of all numbers of calls meet.
bool calls_back(int32_t helper) {
  const HelperInfo* info = find_helper(helper);
  return info != nullptr && std::find(info->args.begin(), info->args.end(),
                                      HelperArg::callback) != info->args.end();
}

} // namespace

Explored::Explored(const Program& program, const Liveness& liveness)
    : liveness_(liveness), join_points_(program.insns.size()), nodes_(program.insns.size()),
      has_may_goto_(program.functions.size()) {
  for (size_t i = 0; i < program.insns.size(); ++i) {
    const ProgramInsn& at = program.insns[i];
    if (at.target.valid() && at.target.value < join_points_.size())
      join_points_[at.target.value] = true;
    const bool calls =
        std::holds_alternative<CallLocal>(at.insn) || std::holds_alternative<CallIndirect>(at.insn);
    const auto* helper = std::get_if<CallHelper>(&at.insn);
    if (helper != nullptr && i + 1 < join_points_.size() && calls_back(helper->id))
      join_points_[i + 1] = true;
    if (calls && i + 1 < join_points_.size())
      join_points_[i + 1] = true;
  }
  for (size_t f = 0; f < program.functions.size(); ++f) {
    const Function& function = program.functions[f];
    if (function.begin.value < join_points_.size())
      join_points_[function.begin.value] = true;
    for (InsnIndex i = function.begin; i < function.end; i = i.next())
      has_may_goto_[f] = has_may_goto_[f] || std::holds_alternative<MayGoto>(program.at(i).insn);
  }
}

void Explored::path_begins(const std::shared_ptr<Node>& node) {
  if (node)
    ++node->open_paths;
}

void Explored::open_scope(uint32_t budget, std::shared_ptr<Node>& parent) {
  auto node = std::make_shared<Node>();
  node->parent = parent;
  node->open_paths = 1; // as record() does
  scopes_[budget] = node;
  parent = std::move(node);
}

bool Explored::is_finished(uint32_t budget) const {
  const auto scope = scopes_.find(budget);
  return scope != scopes_.end() && scope->second->open_paths == 0;
}

void Explored::path_ends(std::shared_ptr<Node> node) {
  while (node && --node->open_paths == 0)
    node = node->parent;
}

Visit Explored::visit(const State& state, std::shared_ptr<Node>& parent,
                      std::vector<UnwrittenBytes>& unwritten) {
  auto& here = nodes_[state.pc.value];
  bool worth_recording = jumps_since_record_ >= kMinJumps && steps_since_record_ >= kMinSteps;
  for (size_t i = 0; i < here.size();) {
    Node& node = *here[i];
    const bool covered = includes(node.state, state, liveness_, *this, &unwritten);
    if (node.open_paths != 0) {
      if (covered && !has_paid(node.state, state) &&
          includes(state, node.state, liveness_, *this, nullptr))
        return Visit::endless;
      if (steps_since_record_ < kMinLoopSteps && jumps_since_record_ < kMinLoopJumps)
        worth_recording = false;
    } else if (covered) {
      ++node.hits;
      return Visit::covered;
    }
    node.misses += worth_recording;
    if (node.misses > node.hits * kPatience + kPatience && here.size() > 1) {
      bytes_ -= node.state.bytes();
      here[i] = std::move(here.back());
      here.pop_back();
      continue;
    }
    ++i;
  }
  unwritten.clear();
  if (worth_recording)
    record(state, parent);
  return Visit::go_on;
}

bool Explored::covers_iteration(State& state, uint32_t budget, uint64_t calls,
                                const Thresholds* thresholds,
                                std::vector<UnwrittenBytes>& unwritten) {
  std::deque<Iteration>& here = iterations_[state.pc];
  for (const Iteration& earlier : here)
    if (earlier.calls <= calls && earlier.budget == budget &&
        includes(earlier.state, state, liveness_, *this, &unwritten))
      return true;
  unwritten.clear();
  if (thresholds != nullptr)
    for (size_t i = here.size(); i > 0; --i)
      if (here[i - 1].budget == budget)
        if (std::optional<State> wide = widen(here[i - 1].state, state, *thresholds)) {
          state = std::move(*wide);
          break;
        }
  if (here.size() == kIterations) {
    bytes_ -= here.front().state.bytes();
    here.pop_front();
  }
  bytes_ += state.bytes();
  here.push_back({state, budget, calls});
  return false;
}

void Explored::record(const State& state, std::shared_ptr<Node>& parent) {
  auto node = std::make_shared<Node>();
  node->state = state;
  node->parent = parent;
  node->open_paths = 1; // the current path, which was counted in the parent and still is
  bytes_ += node->state.bytes();
  nodes_[state.pc.value].push_back(node);
  parent = std::move(node);
  steps_since_record_ = jumps_since_record_ = 0;
}

} // namespace bpfaot::verifier
