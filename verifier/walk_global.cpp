// SPDX-License-Identifier: MIT
//
// Global functions. Each that is called is walked once, with arguments that are whatever its
// prototype allows (verifier/contract.h); a call only checks that it passes such arguments.
//
// A memory argument may lie anywhere that a caller has memory: the stack of any function of the
// chain, a value that other processes change, a packet. The callee's walk knows of it only the
// size. What it needs beyond that (how the address is aligned, whether others write there) is
// collected from all calls and put together after the last walk.
#include "bpf/object.h"
#include "verifier/walker.h"

#include <algorithm>
#include <bit>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr uint32_t kBestAlign = 8; // of every object's start

uint32_t alignment_of(const RegState& pointer) {
  const uint64_t unaligned = pointer.value.bits.max();
  if (pointer.is_packet() || pointer.owner != 0)
    return 1;
  return unaligned == 0 ? kBestAlign
                        : std::min(kBestAlign, 1u << std::min(std::countr_zero(unaligned), 3));
}

} // namespace

std::vector<bool> functions_with(const Program& program, uint64_t helper_flags) {
  std::vector<bool> reaches(program.functions.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t f = 0; f < reaches.size(); ++f) {
      const Function& function = program.functions[f];
      for (InsnIndex i = function.begin; !reaches[f] && i < function.end; i = i.next()) {
        const ProgramInsn& at = program.at(i);
        const auto* call = std::get_if<CallHelper>(&at.insn);
        const auto* kfunc = std::get_if<CallKfunc>(&at.insn);
        const HelperInfo* info = call != nullptr    ? find_helper(call->id)
                                 : kfunc != nullptr ? find_kfunc(kfunc->btf_id)
                                                    : nullptr;
        const bool leads = at.callee.valid() && at.callee.value < reaches.size();
        reaches[f] = (info != nullptr && (info->flags & helper_flags) != 0) ||
                   std::holds_alternative<CallIndirect>(at.insn) ||
                   (leads && reaches[at.callee.value]);
        changed |= reaches[f];
      }
    }
  }
  return reaches;
}

Result<const Walker::Global*> Walker::global(FuncId function) {
  const auto known = globals_.find(function);
  if (known != globals_.end())
    return &known->second;
  auto contract = contract_of(program_, function);
  if (!contract) {
    const Diagnostic& d = contract.error();
    return error(d.code, d.message, d.found, d.needed);
  }
  Global made;
  made.parameters = std::move(*contract);
  for (const Parameter& parameter : made.parameters) {
    const bool is_memory = parameter.pass == Pass::memory;
    made.arguments.push_back(is_memory ? static_cast<uint32_t>(arguments_.size()) : 0);
    if (is_memory)
      arguments_.emplace_back();
  }
  roots_.push_back(function);
  return &globals_.emplace(function, std::move(made)).first->second;
}

Status Walker::call_global(FuncId callee) {
  TRY(check_frames(state_, callee));
  const Global& callee_info = *TRY(global(callee));
  calls_.insert({state_.top().func, callee});
  if (throwers_[callee.value])
    TRY(check_throw());
  for (uint8_t i = 0; i < callee_info.parameters.size(); ++i)
    TRY(pass_argument(callee, callee_info, i));
  if (packet_movers_[callee.value])
    forget_packet(state_);
  for (uint8_t r = 0; r <= 5; ++r)
    assign(Reg{r}, {});
  assign(Reg{0}, RegState::scalar({}));
  return {};
}

Status Walker::pass_argument(FuncId callee, const Global& info, uint8_t index) {
  const Reg r{static_cast<uint8_t>(index + 1)};
  const Parameter& parameter = info.parameters[index];
  const std::string found = name(r) + " is " + describe(state_.reg(r));
  const auto wrong = [&](Code code, const char* needed) -> Status {
    return error(code,
                 "wrong argument " + std::to_string(index + 1) + " of global function " +
                     program_.functions[callee.value].name,
                 found, needed);
  };
  TRY(require_written(r));
  const RegState arg = state_.reg(r);
  if (arg.is_scalar() && arg.released)
    return wrong(Code::kRefReleased, "no use of the record after it was submitted or discarded");
  switch (parameter.pass) {
  case Pass::scalar: return arg.is_scalar() ? Status{} : wrong(Code::kGlobalFunction, "a number");
  case Pass::ctx:
    if (arg.type == Type::ctx && arg.value == Scalar::constant(0))
      return {};
    return wrong(Code::kGlobalFunction, "the context as it was passed");
  case Pass::dynptr: {
    CallContext call;
    return check_object_argument(call, r, StackObject::Kind::dynptr);
  }
  case Pass::memory: break;
  }
  if (arg.is_zero() && parameter.maybe_null)
    return {};
  if ((arg.maybe_null || arg.is_zero()) && !parameter.maybe_null)
    return wrong(Code::kNullDeref, "a pointer that is certainly not null, as the tag says");
  // The callee tests what may be null, and then all of it must be there.
  state_.reg(r).maybe_null = false;
  bool shared = false;
  switch (arg.type) {
  case Type::stack:
    TRY(check_stack(r, 0, parameter.size, Access::read_write, false));
    touch_stack_read(arg, 0, parameter.size);
    overwrite_stack(arg, 0, {parameter.size, parameter.size, false});
    break;
  case Type::map_value:
    TRY(check_map_value(r, 0, parameter.size, Access::read_write));
    shared = true;
    break;
  case Type::memory:
    TRY(check_object(r, 0, parameter.size, Access::read_write));
    shared = arg.owner != 0; // it may be lent out of a value
    break;
  case Type::packet:
  case Type::packet_meta:
    if (packet_movers_[callee.value])
      return wrong(Code::kGlobalFunction,
                   "memory that stays in place: the function may move the packet");
    TRY(check_packet(r, 0, parameter.size));
    break;
  default: return wrong(Code::kGlobalFunction, "memory that may be read and written, or 0");
  }
  passed_.insert({info.arguments[index], arg.argument, alignment_of(arg), shared});
  return {};
}

// The first state of a global function's own walk.
State Walker::entry_of(FuncId function) {
  Frame frame;
  frame.func = function;
  frame.activation = new_id();
  frame.regs[kFramePointer.number] = RegState::pointer(Type::stack, 0);
  const Global& info = globals_.at(function);
  for (size_t i = 0; i < info.parameters.size(); ++i) {
    const Parameter& parameter = info.parameters[i];
    RegState& reg = frame.regs[i + 1];
    switch (parameter.pass) {
    case Pass::scalar: reg = RegState::scalar({}); break;
    case Pass::ctx: reg = RegState::pointer(Type::ctx, 0); break;
    case Pass::dynptr:
      reg = RegState::pointer(Type::dynptr, 0);
      reg.owner = new_id();
      break;
    case Pass::memory:
      reg = RegState::pointer(Type::memory, MapId().value);
      reg.size = parameter.size;
      reg.argument = info.arguments[i];
      reg.maybe_null = parameter.maybe_null;
      reg.id = parameter.maybe_null ? new_id() : 0;
      break;
    }
  }
  State state;
  state.frames.push_back(std::move(frame));
  state.pc = program_.functions[function.value].begin;
  return state;
}

// An access at an offset that is aligned: so must be what it is an offset from.
void Walker::need_alignment(const RegState& pointer, uint32_t align) {
  if (pointer.argument == 0)
    return;
  uint32_t& most = arguments_[pointer.argument].needed_align[state_.pc];
  most = std::max(most, align);
}

// After all walks: what is known about each memory argument, and whether that is enough.
Status Walker::settle_arguments() {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Passed& passed : passed_) {
      const MemoryArgument from =
          passed.from != 0 ? arguments_[passed.from] : MemoryArgument{kBestAlign, false, {}};
      MemoryArgument& to = arguments_[passed.to];
      const uint32_t align = std::min({to.align, from.align, passed.align});
      const bool shared = to.shared || from.shared || passed.shared;
      changed |= align != to.align || shared != to.shared;
      to.align = align;
      to.shared = shared;
    }
  }
  for (const MemoryArgument& argument : arguments_)
    for (const auto& [insn, size] : argument.needed_align)
      if (size > argument.align) {
        state_.pc = insn;
        state_.frames.resize(1);
        return error(Code::kMisalignedAtomic,
                     "an access that must be aligned, to an argument that is not always aligned",
                     "a call passes an address known to be a multiple of " +
                         std::to_string(argument.align),
                     "multiples of " + std::to_string(size) + " from all calls");
      }
  return {};
}

// Global functions begin a chain of frames of their own, so that the walk itself does not see how
// deep they are nested, or that they call each other in a circle.
Status Walker::check_call_depth() {
  std::vector<size_t> deepest(program_.functions.size());
  deepest[0] = 1;
  std::vector<FuncId> work{FuncId(0)};
  if (program_.exception_callback.valid()) {
    deepest[program_.exception_callback.value] = 1;
    work.push_back(program_.exception_callback);
  }
  while (!work.empty()) {
    const FuncId at = work.back();
    work.pop_back();
    for (const auto& [caller, callee] : calls_) {
      if (caller != at || deepest[callee.value] > deepest[at.value])
        continue;
      deepest[callee.value] = deepest[at.value] + 1;
      if (deepest[callee.value] > kMaxFrames) {
        state_.pc = program_.functions[callee.value].begin;
        state_.frames.resize(1);
        return error(Code::kCallDepth, "too many nested calls, or functions that call each other",
                     std::to_string(deepest[callee.value]) + " frames",
                     "at most " + std::to_string(kMaxFrames));
      }
      work.push_back(callee);
    }
  }
  return {};
}

} // namespace bpfaot::verifier
