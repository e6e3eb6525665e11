// SPDX-License-Identifier: MIT
//
// Conditional branches: what each outcome says, and which outcomes are possible.
//
// Refinement happens on a copy of the state per outcome. A number's new bounds go to all members of
// its equality group, in registers and on the stack of every frame; a null check goes to all copies
// of the pointer. An outcome whose refinement is empty is dead.
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

// Gives the group of `number` what is known of it. False: some member cannot have that value.
bool spread(State& state, const RegState& number) {
  bool possible = true;
  state.for_each_value([&](RegState& member) {
    if (member.is_scalar() && member.id == number.id && possible)
      possible = member.value.meet(
          alu(AluOp::add, true, number.value, Scalar::constant(member.delta - number.delta)));
  });
  return possible;
}

// Resolves every copy of a nullable pointer.
void resolve_null(State& state, uint32_t id, uint32_t ref, bool is_null) {
  state.for_each_value([&](RegState& copy) {
    if (!copy.maybe_null || copy.id != id)
      return;
    if (is_null) {
      copy = RegState::constant(0);
    } else {
      copy.maybe_null = false;
      copy.id = 0;
    }
  });
  if (is_null && ref != 0)
    std::erase_if(state.refs, [ref](const Reference& r) { return r.id == ref; });
}

// The outcome when a register is compared with itself, if it is always the same.
std::optional<bool> self_comparison(Cond cond) {
  switch (cond) {
  case Cond::eq:
  case Cond::uge:
  case Cond::ule:
  case Cond::sge:
  case Cond::sle: return true;
  case Cond::ne:
  case Cond::ugt:
  case Cond::ult:
  case Cond::sgt:
  case Cond::slt: return false;
  case Cond::set: break;
  }
  return std::nullopt;
}

} // namespace

bool Walker::assume(State& state, const Branch& insn, const RegState& a, const RegState& b,
                    bool taken) {
  const auto refined = refine(insn.cond, insn.width == Width::w64, taken, a.value, b.value);
  if (!refined)
    return false;
  RegState left = a, right = b;
  left.value = refined->a;
  right.value = refined->b;
  const auto* src = std::get_if<Reg>(&insn.src);
  const bool same = src != nullptr && *src == insn.dst;
  if (same && !left.value.meet(right.value))
    return false;
  state.reg(insn.dst).value = left.value;
  if (left.id != 0 && !spread(state, left))
    return false;
  if (src == nullptr || same)
    return true;
  // Spreading may already have tightened the other operand: meet, do not replace.
  if (!state.reg(*src).value.meet(right.value))
    return false;
  return right.id == 0 || spread(state, state.reg(*src));
}

void Walker::take_branch(std::optional<State> taken, std::optional<State> not_taken) {
  facts_.branch(state_.pc, taken.has_value(), not_taken.has_value());
  const InsnIndex target = program_.at(state_.pc).target, next = state_.pc.next();
  if (taken)
    taken->pc = target;
  if (not_taken)
    not_taken->pc = next;
  if (taken && not_taken)
    push(std::move(*taken));
  moved_ = true;
  if (not_taken)
    state_ = std::move(*not_taken);
  else if (taken)
    state_ = std::move(*taken);
  else
    ended_ = true; // the facets together were empty all along: nothing gets here
}

void Walker::branch_on_null(const Branch& insn, const RegState& pointer) {
  const bool null_when_taken = insn.cond == Cond::eq;
  // The context, the stack and packets are never null either, but the kernel does not conclude from it, and
  // a loop that waits for it is endless by its rules.
  const bool concludes = pointer.type != Type::ctx && pointer.type != Type::stack &&
                         !pointer.is_packet() && pointer.type != Type::packet_end;
  if (concludes && pointer.certainly_not_null()) {
    if (null_when_taken)
      return take_branch(std::nullopt, std::move(state_));
    return take_branch(std::move(state_), std::nullopt);
  }
  State taken = state_, not_taken = std::move(state_);
  state_.pc = taken.pc;
  if (pointer.maybe_null) {
    resolve_null(taken, pointer.id, pointer.ref, null_when_taken);
    resolve_null(not_taken, pointer.id, pointer.ref, !null_when_taken);
  }
  take_branch(std::move(taken), std::move(not_taken));
}

void Walker::branch_on_pointers(const Branch& insn, const RegState& a, const RegState& b) {
  State taken = state_, not_taken = state_;
  if (insn.width == Width::w64)
    compare_with_end(insn, a, b, taken, not_taken);
  // Equal to a pointer that is not null: not null either.
  const bool wide_equality =
      insn.width == Width::w64 && (insn.cond == Cond::eq || insn.cond == Cond::ne);
  if (wide_equality) {
    State& equal = insn.cond == Cond::eq ? taken : not_taken;
    if (a.maybe_null && b.certainly_not_null())
      resolve_null(equal, a.id, a.ref, false);
    else if (b.maybe_null && a.certainly_not_null())
      resolve_null(equal, b.id, b.ref, false);
  }
  take_branch(std::move(taken), std::move(not_taken));
}

Status Walker::on(const Branch& insn) {
  const RegState b = TRY(operand(insn.src));
  TRY(require_written(insn.dst));
  const RegState a = state_.reg(insn.dst);
  const bool wide = insn.width == Width::w64;
  if (state_.pc.next() >= program_.functions[state_.top().func.value].end)
    return error(Code::kFallsOff, "control runs past the end of the function");
  const auto* src = std::get_if<Reg>(&insn.src);
  if (src != nullptr && *src == insn.dst)
    if (const std::optional<bool> outcome = self_comparison(insn.cond)) {
      std::optional<State> taken, not_taken;
      (*outcome ? taken : not_taken) = state_;
      take_branch(std::move(taken), std::move(not_taken));
      return {};
    }
  const bool equality = wide && (insn.cond == Cond::eq || insn.cond == Cond::ne);
  if (equality && a.is_pointer() && b.is_zero()) {
    branch_on_null(insn, a);
  } else if (equality && b.is_pointer() && a.is_zero()) {
    branch_on_null(insn, b);
  } else if (a.is_pointer() || b.is_pointer()) {
    branch_on_pointers(insn, a, b);
  } else {
    std::optional<State> taken = state_, not_taken = state_;
    if (!assume(*taken, insn, a, b, true))
      taken.reset();
    if (!assume(*not_taken, insn, a, b, false))
      not_taken.reset();
    take_branch(std::move(taken), std::move(not_taken));
  }
  return {};
}

} // namespace bpfaot::verifier
