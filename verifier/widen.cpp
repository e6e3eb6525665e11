// SPDX-License-Identifier: MIT
#include "verifier/widen.h"

#include "bpf/object.h"
#include "verifier/typestate.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

bool same_but_numbers(const RegState& a, const RegState& b) {
  return a.type == b.type && a.maybe_null == b.maybe_null && a.object == b.object &&
         a.size == b.size && a.argument == b.argument && a.read_only == b.read_only &&
         a.unaligned == b.unaligned &&
         (a.ref == 0) == (b.ref == 0) && (a.owner == 0) == (b.owner == 0) &&
         (!a.is_pointer() || a.value == b.value);
}

void widen_number(const RegState& old_reg, RegState& next, const Thresholds& thresholds,
                  bool& changed) {
  if (!next.is_scalar() || old_reg.value.includes(next.value))
    return;
  next.value = thresholds.widen(old_reg.value, next.value);
  next.id = 0;
  next.delta = 0;
  changed = true;
}

bool widen_frame(const Frame& old_frame, Frame& next, const Thresholds& thresholds, bool& changed) {
  if (old_frame.func != next.func || old_frame.call_site != next.call_site)
    return false;
  for (size_t r = 0; r < next.regs.size(); ++r) {
    // What only one of them has is dead, or will be refused where it is read.
    if (old_frame.regs[r].type == Type::none || next.regs[r].type == Type::none)
      continue;
    if (!same_but_numbers(old_frame.regs[r], next.regs[r]))
      return false;
    widen_number(old_frame.regs[r], next.regs[r], thresholds, changed);
  }
  for (size_t i = 0; i < std::min(old_frame.stack.size(), next.stack.size()); ++i) {
    const StackSlot& old_slot = old_frame.stack[i];
    StackSlot& slot = next.stack[i];
    if (!is_same_object(old_slot.object, slot.object))
      return false;
    if (slot.object.kind != StackObject::Kind::none)
      continue;
    if (old_slot.spill_bytes() == slot.spill_bytes()) {
      for (uint32_t b = slot.spill_bytes(); b < kSlotBytes; ++b)
        if (slot.kinds[b] == ByteKind::zero && old_slot.kinds[b] == ByteKind::misc)
          slot.kinds[b] = ByteKind::misc;
      if (!slot.has_spill())
        continue;
      if (!same_but_numbers(old_slot.spilled, slot.spilled))
        return false;
      // A narrow spill must keep fitting into its bytes.
      if (slot.spill_bytes() == kSlotBytes)
        widen_number(old_slot.spilled, slot.spilled, thresholds, changed);
      else if (!old_slot.spilled.value.includes(slot.spilled.value))
        slot.drop_spill(), changed = true;
      continue;
    }
    if ((old_slot.has_spill() && old_slot.spilled.is_pointer()) ||
        (slot.has_spill() && slot.spilled.is_pointer()))
      return false;
    if (slot.has_spill())
      slot.drop_spill(), changed = true;
  }
  return true;
}

} // namespace

Thresholds::Thresholds(const Program& program) {
  for (const ProgramInsn& at : program.insns)
    if (const auto* branch = std::get_if<Branch>(&at.insn))
      if (const auto* imm = std::get_if<int32_t>(&branch->src))
        for (const int64_t near : {-1, 0, 1})
          values_.push_back(int64_t{*imm} + near);
  values_.insert(values_.end(), {0, INT32_MAX, INT32_MIN, UINT32_MAX});
  std::sort(values_.begin(), values_.end());
  values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
}

template <class Int> Int Thresholds::at_least(Int x) const {
  Int best = std::numeric_limits<Int>::max();
  for (const int64_t value : values_)
    if (const auto candidate = static_cast<Int>(value); candidate >= x && candidate < best)
      best = candidate;
  return best;
}

template <class Int> Int Thresholds::at_most(Int x) const {
  Int best = std::numeric_limits<Int>::min();
  for (const int64_t value : values_)
    if (const auto candidate = static_cast<Int>(value); candidate <= x && candidate > best)
      best = candidate;
  return best;
}

Scalar Thresholds::widen(const Scalar& old_value, const Scalar& new_value) const {
  const Scalar both = join(old_value, new_value);
  Scalar wide;
  const auto high = [this](auto& to, auto from, auto joined) {
    to = joined > from ? at_least(joined) : joined;
  };
  const auto low = [this](auto& to, auto from, auto joined) {
    to = joined < from ? at_most(joined) : joined;
  };
  high(wide.umax, old_value.umax, both.umax);
  low(wide.umin, old_value.umin, both.umin);
  high(wide.smax, old_value.smax, both.smax);
  low(wide.smin, old_value.smin, both.smin);
  high(wide.u32_max, old_value.u32_max, both.u32_max);
  low(wide.u32_min, old_value.u32_min, both.u32_min);
  high(wide.s32_max, old_value.s32_max, both.s32_max);
  low(wide.s32_min, old_value.s32_min, both.s32_min);
  // Of the bits, what is known at the low end stays (alignment); the ranges say what the high ones
  // are.
  const unsigned known = static_cast<unsigned>(std::countr_zero(both.bits.mask));
  const uint64_t low_bits = known >= 64 ? ~uint64_t{0} : (uint64_t{1} << known) - 1;
  if (both.bits == old_value.bits)
    wide.bits = both.bits;
  else
    wide.bits = {both.bits.value & low_bits, ~low_bits};
  return wide.reduce() ? wide : Scalar{};
}

std::optional<State> widen(const State& old_state, State next, const Thresholds& thresholds) {
  if (old_state.frames.size() != next.frames.size() || old_state.refs.size() != next.refs.size())
    return std::nullopt;
  bool changed = false;
  for (size_t f = 0; f < next.frames.size(); ++f)
    if (!widen_frame(old_state.frames[f], next.frames[f], thresholds, changed))
      return std::nullopt;
  // Equal in every number and yet not included: a relation between numbers differs.
  if (!changed)
    next.for_each_value([](RegState& value) {
      if (value.is_scalar())
        value.id = 0, value.delta = 0;
    });
  return next;
}

void widen_undemanded(State& state, const Demand& demand) {
  constexpr uint16_t kKept = 0x3c0, kPassed = 0x3e; // r6 to r9, r1 to r5
  for (size_t f = 0; f < state.frames.size(); ++f) {
    Frame& frame = state.frames[f];
    const bool is_top = f + 1 == state.frames.size();
    const InsnIndex at = is_top ? state.pc : state.frames[f + 1].call_site;
    const LiveSet& needed = demand.before(at);
    uint16_t regs = needed.regs;
    if (!is_top) {
      regs = static_cast<uint16_t>(demand.before(at.next()).regs & kKept);
      if (state.frames[f + 1].iteration != 0)
        regs = static_cast<uint16_t>(regs | (needed.regs & kPassed));
    }
    for (size_t r = 0; r < 10; ++r)
      if (frame.regs[r].is_scalar() && !frame.regs[r].released && (regs >> r & 1) == 0)
        frame.regs[r] = RegState::scalar({});
    for (size_t i = 0; i < frame.stack.size(); ++i) {
      StackSlot& slot = frame.stack[i];
      const auto lowest = static_cast<int32_t>(-8 * static_cast<int64_t>(i + 1));
      bool is_needed = slot.has_spill() && !slot.spilled.is_scalar();
      for (uint32_t b = 0; b < kSlotBytes; ++b)
        is_needed |= needed.stack.test(stack_bit(lowest + static_cast<int32_t>(b)));
      if (is_needed)
        continue;
      if (slot.spill_bytes() == kSlotBytes)
        slot.spilled = RegState::scalar({});
      else if (slot.has_spill())
        slot.drop_spill();
      for (ByteKind& kind : slot.kinds)
        if (kind == ByteKind::zero)
          kind = ByteKind::misc;
    }
  }
}

} // namespace bpfaot::verifier
