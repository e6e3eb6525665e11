// SPDX-License-Identifier: MIT
//
// Callbacks: functions of the program that a helper calls any number of times.
//
// At the helper's call, and again whenever the callback returns to it, two things may happen: the
// helper returns, which is always walked, or it calls the callback once more, which is walked
// unless an earlier state at this call covers it (as the iterations of may_goto, see explored.h:
// there is no fault in coming back with nothing changed while that call lasts, since the helper counts). So every number
// of calls from none on is walked, and what the callback changes in its caller's frame is found as
// a fixpoint. bpf_loop calls at most as often as its first argument says; a small constant bounds
// the walk too, which keeps numbers that widening would lose. Calls are counted in that walk alone:
// a state covers only those that no more calls may follow than follow it, so counting costs time.
#include "bpf/object.h"
#include "verifier/typestate.h"
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr int32_t kForEach = 164, kLoop = 181, kDrain = 209;
// More calls than this are as good as any number of them.
constexpr uint64_t kMostCounted = 1 << 16;

} // namespace

Status Walker::check_frames(const State& state, bpf::FuncId callee) const {
  for (const Frame& frame : state.frames)
    if (frame.func == callee)
      return error(Code::kCallDepth, "recursion is not allowed",
                   program_.functions[callee.value].name + " is already on the call stack",
                   "a function that does not call itself");
  if (state.frames.size() >= kMaxFrames)
    return error(Code::kCallDepth, "too many nested calls",
                 std::to_string(kMaxFrames + 1) + " frames",
                 "at most " + std::to_string(kMaxFrames));
  return {};
}

Status Walker::check_callback(Reg r) const {
  const RegState& arg = state_.reg(r);
  if (arg.type != Type::function)
    return error(Code::kHelperArg, "a callback must be a function of the program",
                 name(r) + " is " + describe(arg), "the address of a function");
  const Function& function = program_.functions[arg.object];
  if (function.is_global)
    return error(Code::kCallback, "a callback must be a static function",
                 function.name + " is global", "a static function");
  return {};
}

// The helper is about to call back or to return: at its call, r1 to r5 as it was given them.
Status Walker::call_back(const HelperInfo& info, uint64_t iteration, HelperCall call) {
  const RegState& count = state_.reg(Reg{1});
  const uint64_t most = info.id == kLoop && count.is_scalar() ? count.value.umax : UINT64_MAX;
  const bool is_counted = most <= (thresholds_ != nullptr ? 1 : kMostCounted);
  const bool may_call = !is_counted || iteration < most;
  if (may_call) {
    State inside = state_;
    if (!explored_.covers_iteration(inside, call.id, is_counted ? iteration : 0, thresholds_,
                                    unwritten_)) {
      TRY(enter_callback(inside, info, is_counted ? iteration + 1 : 1, call));
      push(std::move(inside));
    } else {
      for (const UnwrittenBytes& found : unwritten_)
        facts_.unwritten(found.func, found.bytes);
    }
  }
  for (uint8_t r = 0; r <= 5; ++r)
    assign(Reg{r}, {});
  assign(Reg{0}, RegState::scalar({}));
  return {};
}

Status Walker::enter_callback(State& state, const HelperInfo& info, uint64_t iteration,
                              HelperCall call) {
  const Frame& caller = state.top();
  const FuncId callee(caller.regs[2].object);
  TRY(check_frames(state, callee));
  calls_.insert({caller.func, callee});
  Frame frame;
  frame.func = callee;
  frame.call_site = state.pc;
  frame.activation = new_id();
  frame.iteration = iteration;
  frame.helper = info.id;
  frame.helper_call = call.id;
  frame.calls = call.calls + 1;
  frame.last_id_at_entry = last_id_;
  frame.regs[kFramePointer.number] =
      RegState::pointer(Type::stack, static_cast<uint32_t>(state.frames.size()));
  if (info.id == kForEach) {
    const uint32_t map_id = caller.regs[1].object;
    frame.regs[1] = caller.regs[1];
    frame.regs[2] = RegState::pointer(Type::memory, map_id);
    frame.regs[2].size = map(map_id).key_size;
    frame.regs[2].read_only = true;
    frame.regs[3] = RegState::pointer(Type::map_value, map_id);
    frame.regs[4] = caller.regs[3];
  } else if (info.id == kDrain) {
    frame.lent = new_id();
    frame.regs[1] = RegState::pointer(Type::dynptr, 0);
    frame.regs[1].owner = frame.lent;
    frame.regs[2] = caller.regs[3];
  } else {
    frame.regs[1] = RegState::scalar({});
    frame.regs[2] = caller.regs[3];
  }
  state.frames.push_back(std::move(frame));
  state.pc = program_.functions[callee.value].begin;
  return {};
}

// At the exit of a callback: back to the helper, which looks at the result.
Status Walker::leave_callback() {
  const Frame& frame = state_.top();
  const RegState& result = frame.regs[0];
  TRY(require_written(Reg{0}));
  if (!result.is_scalar() || result.value.umax > 1)
    return error(Code::kCallback, "a callback must return 0 to go on or 1 to stop",
                 "r0 is " + describe(result), "a number in [0, 1]");
  for (const Reference& ref : state_.refs)
    if (ref.id > frame.last_id_at_entry)
      return check_reference_leaks();
  const InsnIndex call = frame.call_site;
  const uint64_t iteration = frame.iteration;
  const HelperCall helper_call{frame.helper_call, frame.calls};
  const HelperInfo* info = find_helper(frame.helper);
  if (frame.lent != 0)
    end_object(state_, frame.lent);
  state_.frames.pop_back();
  state_.pc = call;
  moved_ = true;
  if (info == nullptr)
    return error(Code::kInternal, "a callback of no helper");
  facts_.before(state_, liveness_.before(call).regs);
  TRY(call_back(*info, iteration, helper_call));
  facts_.after(call, state_, state_.reg(Reg{0}));
  state_.pc = call.next();
  if (state_.pc >= program_.functions[state_.top().func.value].end) {
    state_.pc = call;
    return error(Code::kFallsOff, "control runs past the end of the function");
  }
  return {};
}

} // namespace bpfaot::verifier
