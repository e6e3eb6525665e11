// SPDX-License-Identifier: MIT
//
// Paths and control flow: jumps, calls of own functions, exits, and the limits.
//
// Termination of the verifier: every instruction walked counts towards step_limit, pending states
// towards memory_limit. Termination of the program: a path ends only at exit, or where a state is
// included in one whose every path has already ended (verifier/explored.h).
#include "verifier/walker.h"

#include "bpf/object.h"
#include "verifier/effects.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

constexpr uint64_t kDefaultMemoryLimit = uint64_t{1} << 30;

bool is_jump(const bpf::Insn& insn) {
  return std::holds_alternative<bpf::Jump>(insn) || std::holds_alternative<bpf::Branch>(insn) ||
         std::holds_alternative<bpf::CallLocal>(insn) || std::holds_alternative<bpf::Exit>(insn) ||
         std::holds_alternative<bpf::CallIndirect>(insn) ||
         std::holds_alternative<bpf::MayGoto>(insn);
}

} // namespace

Walker::Walker(const bpf::Program& program, const Options& options, const Liveness& liveness,
               const Thresholds* thresholds, const Demand* demand)
    : program_(program), options_(options), liveness_(liveness), thresholds_(thresholds),
      demand_(demand), facts_(program), explored_(program, liveness),
      packet_movers_(functions_with(program, bpf::kHelperMoves)),
      throwers_(functions_with(program, bpf::kHelperThrows)) {}

const bpf::MapDef& Walker::map(uint32_t id) const {
  return program_.object->maps[id];
}

Status Walker::require_written(bpf::Reg r) const {
  if (state_.reg(r).type == Type::none)
    return error(Code::kUninitReg, name(r) + " is read before it is written",
                 name(r) + " was never written here",
                 "a value in " + name(r) + " on every path (calls leave r1 to r5 without one)");
  return {};
}

Status Walker::require_writable(bpf::Reg r) const {
  if (r == bpf::kFramePointer)
    return error(Code::kFramePointerWrite, "r10 is the frame pointer and cannot be changed");
  return {};
}

Result<RegState> Walker::operand(const bpf::Operand& operand) const {
  if (const auto* r = std::get_if<bpf::Reg>(&operand)) {
    TRY(require_written(*r));
    return state_.reg(*r);
  }
  return RegState::constant(static_cast<uint64_t>(int64_t{std::get<int32_t>(operand)}));
}

void Walker::forget_number(const RegState& pointer) {
  // Whoever has the address as a number can read the context through probe_read.
  if (pointer.type == Type::ctx)
    facts_.ctx_escapes();
}

void Walker::push(State state) {
  pending_bytes_ += state.bytes();
  Explored::path_begins(parent_);
  pending_.push_back({std::move(state), parent_});
}

Status Walker::run() {
  Frame entry;
  entry.func = bpf::FuncId(0);
  entry.activation = new_id();
  entry.regs[1] = RegState::pointer(Type::ctx, 0);
  entry.regs[bpf::kFramePointer.number] = RegState::pointer(Type::stack, 0);
  State first;
  first.frames.push_back(std::move(entry));
  first.pc = program_.functions[0].begin;
  TRY(walk_from(std::move(first)));
  if (program_.exception_callback.valid()) {
    state_.pc = program_.functions[program_.exception_callback.value].begin;
    state_.frames.resize(1);
    if (throwers_[program_.exception_callback.value])
      return error(Code::kThrow, "the callback for exceptions may throw one itself");
    TRY(global(program_.exception_callback));
  }
  for (size_t i = 0; i < roots_.size(); ++i) // each walk may add some
    TRY(walk_from(entry_of(roots_[i])));
  TRY(settle_arguments());
  for (const MemoryArgument& argument : arguments_)
    facts_.argument(argument.align, argument.shared);
  TRY(check_call_depth());
  return check_stack_limit();
}

Status Walker::walk_from(State first) {
  push(std::move(first));
  while (!pending_.empty()) {
    state_ = std::move(pending_.back().state);
    parent_ = std::move(pending_.back().parent);
    pending_.pop_back();
    pending_bytes_ -= state_.bytes();
    TRY(walk_path());
    explored_.path_ends(std::move(parent_));
  }
  return {};
}

Status Walker::walk_path() {
  const uint64_t memory_limit =
      options_.memory_limit != 0 ? options_.memory_limit : kDefaultMemoryLimit;
  for (ended_ = false; !ended_;) {
    if (++steps_ > options_.step_limit)
      return error(Code::kStepLimit, "too complex: the walk reached its limit of instructions",
                   std::to_string(options_.step_limit) + " instructions walked",
                   "fewer paths or loop iterations");
    if (explored_.bytes() + pending_bytes_ > memory_limit)
      return error(Code::kStepLimit, "too complex: the states of the walk need too much memory",
                   std::to_string((explored_.bytes() + pending_bytes_) >> 20) + " MiB of states",
                   "at most " + std::to_string(memory_limit >> 20) + " MiB");
    if (options_.prune && explored_.is_join_point(state_.pc)) {
      if (demand_ != nullptr)
        widen_undemanded(state_, *demand_);
      const Visit visit = explored_.visit(state_, parent_, unwritten_);
      if (visit == Visit::endless)
        return error(Code::kEndlessLoop,
                     "this loop may never end: it comes back here with nothing changed",
                     "the same registers and stack as in an earlier iteration",
                     "a counter with a bound, or an exit that is certain to be reached");
      if (visit == Visit::covered) {
        for (const UnwrittenBytes& found : unwritten_)
          facts_.unwritten(found.func, found.bytes);
        return {};
      }
    }
    TRY(walk_instruction());
  }
  return {};
}

Status Walker::walk_instruction() {
  const bpf::InsnIndex here = state_.pc;
  const bpf::ProgramInsn& at = program_.at(here);
  explored_.count_step(is_jump(at.insn));
  facts_.before(state_, liveness_.before(here).regs);
  if (at.poisoned && !std::holds_alternative<bpf::CallKfunc>(at.insn)) {
    const auto why = program_.poison.find(at.slot.value);
    return error(Code::kPoisoned,
                 "this instruction depends on a relocation that cannot be resolved" +
                     (why != program_.poison.end() ? " (" + why->second + ")" : std::string()),
                 "reached", "a guard that makes it unreachable, e.g. bpf_core_field_exists()");
  }
  moved_ = false;
  TRY(std::visit([this](const auto& insn) { return on(insn); }, at.insn));
  if (ended_ || moved_)
    return {};
  if (const int result = result_register(at.insn); result >= 0)
    facts_.after(here, state_, state_.top().regs[static_cast<size_t>(result)]);
  state_.pc = here.next();
  if (state_.pc >= program_.functions[state_.top().func.value].end) {
    state_.pc = here;
    return error(Code::kFallsOff, "control runs past the end of the function");
  }
  return {};
}

Status Walker::on(const bpf::Jump&) {
  state_.pc = program_.at(state_.pc).target;
  moved_ = true;
  return {};
}

Status Walker::on(const bpf::CallLocal&) {
  return call_function(program_.at(state_.pc).callee);
}

// The register holds a helper's number or the address of a function. Which one must be certain, so
// that the call is as direct as any other.
Status Walker::on(const bpf::CallIndirect& insn) {
  TRY(require_written(insn.target));
  const RegState target = state_.reg(insn.target);
  const bool is_function = target.type == Type::function && !target.maybe_null;
  const bool is_number = target.is_scalar() && target.value.is_constant();
  if (!is_function && !is_number)
    return error(Code::kUnsupportedCallx, "it is not certain what this calls",
                 name(insn.target) + " is " + describe(target),
                 "a function of the program or the number of a helper");
  const uint64_t number = is_function ? target.object : target.value.umin;
  if (is_number && number > INT32_MAX)
    return error(Code::kHelperInvalid, "there is no helper " + std::to_string(number),
                 "helper " + std::to_string(number), "a helper of the list in docs/supported.md");
  if (!facts_.calls_one(state_.pc, is_function, static_cast<uint32_t>(number)))
    return error(Code::kUnsupportedCallx, "this calls different functions on different paths",
                 name(insn.target) + " is " + describe(target), "one function on all paths");
  return is_function ? call_function(bpf::FuncId(number))
                     : call_helper(static_cast<int32_t>(number));
}

Status Walker::call_function(bpf::FuncId callee) {
  if (!callee.valid() || callee.value >= program_.functions.size())
    return error(Code::kInternal, "a call without a callee");
  if (callee == program_.exception_callback)
    return error(Code::kThrow, "the callback for exceptions cannot be called directly");
  if (program_.functions[callee.value].is_global)
    return call_global(callee);
  TRY(check_frames(state_, callee));
  calls_.insert({state_.top().func, callee});
  Frame frame;
  frame.func = callee;
  frame.call_site = state_.pc;
  frame.activation = new_id();
  if (explored_.has_may_goto(callee))
    explored_.open_scope(frame.activation, parent_);
  for (size_t r = 0; r <= 5; ++r) {
    if (r != 0)
      frame.regs[r] = state_.top().regs[r];
    state_.top().regs[r] = {};
  }
  frame.regs[bpf::kFramePointer.number] =
      RegState::pointer(Type::stack, static_cast<uint32_t>(state_.frames.size()));
  state_.frames.push_back(std::move(frame));
  state_.pc = program_.functions[callee.value].begin;
  moved_ = true;
  return {};
}

Status Walker::on(const bpf::Exit&) {
  const RegState& result = state_.top().regs[0];
  if (state_.frames.size() == 1) {
    TRY(require_written(bpf::Reg{0}));
    if (state_.top().func.value != 0 && !result.is_scalar())
      return error(Code::kGlobalFunction, "a global function must return a number",
                   "r0 is " + describe(result), "a number");
    forget_number(result);
    ended_ = true;
    return check_reference_leaks();
  }
  if (result.type == Type::stack && result.object + 1 == state_.frames.size())
    return error(Code::kStackEscape,
                 "a pointer to the stack of a function cannot be returned from it",
                 "r0 is " + describe(result), "memory that outlives the call");
  if (state_.top().iteration != 0)
    return leave_callback();
  const bpf::InsnIndex call = state_.top().call_site;
  RegState returned = result;
  state_.frames.pop_back();
  state_.top().regs[0] = std::move(returned);
  facts_.after(call, state_, state_.top().regs[0]);
  state_.pc = call.next();
  moved_ = true;
  if (state_.pc >= program_.functions[state_.top().func.value].end) {
    state_.pc = call;
    return error(Code::kFallsOff, "control runs past the end of the function");
  }
  return {};
}

Status Walker::check_reference_leaks() const {
  if (state_.refs.empty())
    return {};
  const Reference& ref = state_.refs.front();
  const bpf::InsnIndex where = ref.acquired_at;
  const bool is_iterator = ref.kind == StackObject::Kind::num_iterator;
  std::string found = std::string(is_iterator ? "an iterator made" : "a record reserved") +
                      " at instruction " + std::to_string(program_.at(where).slot.value);
  if (const bpf::LineInfo* line = program_.line_of(where))
    found += " (" + line->file + ":" + std::to_string(line->line) + ")";
  return error(Code::kRefLeak,
               is_iterator
                   ? "an iterator is not destroyed on this path"
                   : "a reserved ring-buffer record is neither submitted nor discarded on this path",
               found + " is still held at exit",
               is_iterator ? "bpf_iter_num_destroy() on every path"
               : ref.kind == StackObject::Kind::dynptr
                   ? "bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr() on every path"
                   : "bpf_ringbuf_submit() or bpf_ringbuf_discard() on every path");
}

// The sum along every chain of calls that was walked. The graph has no cycles: recursion is
// refused.
Status Walker::check_stack_limit() {
  struct Item {
    bpf::FuncId func;
    int64_t bytes;
  };
  const auto rounded = [this](bpf::FuncId f) {
    return (int64_t{facts_.stack_depth(f)} + 15) / 16 * 16;
  };
  std::vector<Item> work{{bpf::FuncId(0), rounded(bpf::FuncId(0))}};
  if (program_.exception_callback.valid())
    work.push_back({program_.exception_callback, rounded(program_.exception_callback)});
  std::vector<int64_t> deepest(program_.functions.size(), -1);
  while (!work.empty()) {
    const Item item = work.back();
    work.pop_back();
    if (item.bytes <= deepest[item.func.value])
      continue;
    deepest[item.func.value] = item.bytes;
    if (item.bytes > kStackBytes) {
      state_.pc = program_.functions[item.func.value].begin;
      state_.frames.resize(1);
      return error(Code::kStackLimit, "the stack of this function and its callers is too large",
                   std::to_string(item.bytes) + " bytes", "at most " + std::to_string(kStackBytes));
    }
    TRY(check_tail_call_stack(item.func, item.bytes - rounded(item.func)));
    for (const auto& [caller, callee] : calls_)
      if (caller == item.func)
        work.push_back({callee, item.bytes + rounded(callee)});
  }
  return {};
}

// Either way at any time: to the target, or one more iteration. The budget is counted at run time.
// The exit is walked with every state that comes here, so only the iteration is ever widened.
Status Walker::on(const bpf::MayGoto&) {
  if (state_.pc.next() >= program_.functions[state_.top().func.value].end)
    return error(Code::kFallsOff, "control runs past the end of the function");
  State leave = state_;
  leave.pc = program_.at(state_.pc).target;
  if (!explored_.covers_iteration(state_, state_.top().activation, 0, thresholds_, unwritten_)) {
    ++state_.top().may_gotos;
    state_.pc = state_.pc.next();
    push(std::move(state_));
  }
  for (const UnwrittenBytes& found : unwritten_)
    facts_.unwritten(found.func, found.bytes);
  unwritten_.clear();
  state_ = std::move(leave);
  moved_ = true;
  return {};
}
Status Walker::on(const bpf::AddrSpaceCast&) {
  return error(Code::kUnsupportedArena, "this converts an address of an arena, and there are none in a process");
}
Status Walker::on(const bpf::CallKfunc& insn) {
  const bpf::HelperInfo* info = bpf::find_kfunc(insn.btf_id);
  const bpf::ProgramInsn& at = program_.at(state_.pc);
  if (info != nullptr && !at.poisoned)
    return call(*info);
  const auto why = program_.poison.find(at.slot.value);
  return error(Code::kUnsupportedKfunc,
               (why != program_.poison.end() ? why->second : std::string("this kernel function")) +
                   " is not supported",
               "called", "a kernel function of the list in docs/supported.md");
}

} // namespace bpfaot::verifier
