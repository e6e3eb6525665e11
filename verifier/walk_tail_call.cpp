// SPDX-License-Identifier: MIT
//
// Tail calls. bpf_tail_call() comes back when nothing has happened: the index is out of range, the
// slot is empty, the limit is reached. Otherwise another program takes this function's place and
// returns a number to its caller, or ends the run when there is none. Both ways are walked. What that
// other program does to memory is what any program may do at any time, with two exceptions: the
// packet may lie elsewhere afterwards, and it has no references of ours.
#include "bpf/object.h"
#include "verifier/walker.h"

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr int64_t kMostCallersStack = 256; // the kernel's bound, which keeps 33 of them at 8 KB

// Where types are known. Without them the result is taken for any number.
bool returns_number(const Btf& btf, uint32_t function) {
  if (function == 0)
    return true;
  const BtfType& result = btf.resolved(btf.type(btf.type(function).target).target);
  switch (result.kind) {
  case BtfKind::integer: return result.size <= 8;
  case BtfKind::enumeration:
  case BtfKind::enumeration64: return true;
  default: return false;
  }
}

} // namespace

Status Walker::tail_call() {
  const Frame& frame = state_.top();
  const Function& function = program_.functions[frame.func.value];
  if (program_.kind.sleepable || program_.kind.kind == ProgramKind::syscall)
    return error(Code::kHelperKind, "programs that may sleep have no tail calls",
                 "a program of kind " + program_.kind.prefix, "a kind that does not sleep");
  if (frame.iteration != 0)
    return error(Code::kTailCall, "a callback cannot be left by a tail call",
                 function.name + " is a callback of bpf_" +
                     std::string(kernel_helper_name(frame.helper)),
                 "a tail call of the program itself or of a function that it calls");
  for (const Frame& active : state_.frames)
    if (active.func == program_.exception_callback)
      return error(Code::kTailCall, "an exception callback cannot make tail calls",
                   program_.functions[active.func.value].name + " is one",
                   "a tail call of the program itself or of a function that it calls");
  if (frame.func.value != 0 && !returns_number(program_.object->btf, function.btf_type))
    return error(Code::kTailCall, "a function with a tail call must return a number",
                 function.name + " returns none", "a function that returns int");
  facts_.tail_call(frame.func);
  if (state_.frames.size() == 1) // the program itself, or a global function walked alone
    return check_reference_leaks();
  const InsnIndex call = frame.call_site;
  State left = state_;
  left.frames.pop_back();
  left.top().regs[0] = RegState::scalar({});
  forget_packet(left);
  facts_.after(call, left, left.top().regs[0]);
  left.pc = call.next();
  if (left.pc >= program_.functions[left.top().func.value].end) {
    state_.frames.pop_back();
    state_.pc = call;
    return error(Code::kFallsOff, "control runs past the end of the function");
  }
  push(std::move(left));
  return {};
}

// The frames of the callers stay while a program runs in the place of `func`.
Status Walker::check_tail_call_stack(FuncId func, int64_t callers_bytes) {
  if (func.value == 0 || !facts_.tail_calls(func) || callers_bytes < kMostCallersStack)
    return {};
  state_.pc = program_.functions[func.value].begin;
  state_.frames.resize(1);
  return error(Code::kTailCall, "the callers of a function with a tail call use too much stack",
               std::to_string(callers_bytes) + " bytes",
               "less than " + std::to_string(kMostCallersStack));
}

} // namespace bpfaot::verifier
