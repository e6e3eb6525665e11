// SPDX-License-Identifier: MIT
//
// The stack, byte by byte. A spilled register keeps its type while all of its bytes stay; writing
// over any of them forgets it. Bytes that were never written may be read (the kernel lets
// privileged programs do so); they are reported, and the lowering zeroes them at entry.
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;
using Int128 = __int128;

std::string text_of(Int128 x) {
  return std::to_string(static_cast<int64_t>(x));
}

uint32_t byte_in_slot(int64_t offset) {
  return static_cast<uint32_t>(offset & (kSlotBytes - 1));
}

} // namespace

Status Walker::check_stack_bounds(Reg base, int64_t off, uint64_t size) {
  const RegState& r = state_.reg(base);
  const Int128 first = Int128{r.value.smin} + off, last = Int128{r.value.smax} + off;
  if (first < -kStackBytes || last + size > 0) {
    const bool bounded = r.value.smin > -(1 << 30) && r.value.smax < 1 << 30 && size < 1 << 30;
    return error(Code::kStackOob, "access of " + std::to_string(size) + " bytes outside the stack",
                 bounded ? "bytes [" + text_of(first) + ", " + text_of(last + size) + ") from r10"
                         : name(base) + " is " + describe(r) + " without a bound",
                 "bytes within [-" + std::to_string(kStackBytes) + ", 0) from r10");
  }
  facts_.stack_used(state_.frames[r.object].func, static_cast<int64_t>(first));
  return {};
}

Status Walker::check_stack(Reg base, int64_t off, uint64_t size, Access access,
                           bool needs_alignment) {
  TRY(check_stack_bounds(base, off, size));
  const RegState& r = state_.reg(base);
  const int64_t first = r.value.smin + off, last = r.value.smax + off;
  if (needs_alignment && size > 1) {
    const Tnum address =
        tnum_add(r.value.bits, tnum_constant(static_cast<uint64_t>(off)), ~uint64_t{0});
    if ((address.max() & (size - 1)) != 0)
      return error(
          Code::kMisalignedStack, "misaligned stack access",
          std::to_string(size) + " bytes at " +
              (r.value.is_constant() ? text_of(first) : "an offset not known to be aligned"),
          "an offset that is a multiple of " + std::to_string(size));
  }
  return check_object_bytes(r.object, first, last + static_cast<int64_t>(size), access,
                            needs_alignment);
}

// Bytes [begin, end) of a frame may be read here.
void Walker::note_stack_bytes(size_t frame_index, int64_t begin, int64_t end) {
  const Frame& frame = state_.frames[frame_index];
  const bool is_top = frame_index + 1 == state_.frames.size();
  const InsnIndex where = is_top ? state_.pc : state_.frames[frame_index + 1].call_site;
  const StackBytes& live = liveness_.before(where).stack;
  StackBytes unwritten;
  for (int64_t offset = begin; offset < end; ++offset) {
    const auto at = static_cast<int32_t>(offset);
    if (!live.test(stack_bit(at)))
      liveness_was_wrong_ = true;
    if (frame.byte_at(at) == ByteKind::unwritten)
      unwritten.set(stack_bit(at));
  }
  if (unwritten.any())
    facts_.unwritten(frame.func, unwritten);
}

void Walker::touch_stack_read(const RegState& base, int64_t off, uint64_t size) {
  const Int128 first = Int128{base.value.smin} + off, last = Int128{base.value.smax} + off + size;
  const auto begin = static_cast<int64_t>(std::clamp<Int128>(first, -kStackBytes, 0));
  const auto end = static_cast<int64_t>(std::clamp<Int128>(last, -kStackBytes, 0));
  note_stack_bytes(base.object, begin, end);
  // A spilled context among the bytes travels as a number.
  const Frame& frame = state_.frames[base.object];
  for (int64_t offset = begin; offset < end; ++offset) {
    const StackSlot* slot = frame.find_slot(static_cast<int32_t>(offset));
    if (slot != nullptr && slot->has_spill())
      forget_number(slot->spilled);
  }
}

// A load cannot cut a piece out of a spilled pointer (copying bytes through helpers can).
Status Walker::check_fill(const RegState& base, int64_t off, uint32_t size) {
  if (!base.value.is_constant() || size == kSlotBytes)
    return {};
  const StackSlot* slot =
      state_.frames[base.object].find_slot(static_cast<int32_t>(base.value.smin + off));
  if (slot == nullptr || !slot->has_spill() || !slot->spilled.is_pointer())
    return {};
  return error(Code::kPartialSpill, "part of a spilled pointer is read",
               std::to_string(size) + " bytes of " + describe(slot->spilled), "all 8 bytes");
}

RegState Walker::read_stack(const RegState& base, int64_t off, uint32_t size, bool sign_extend) {
  const RegState unknown = RegState::scalar(Scalar::loaded(size * 8, sign_extend));
  if (!base.value.is_constant()) {
    touch_stack_read(base, off, size);
    return unknown;
  }
  const auto at = static_cast<int32_t>(base.value.smin + off);
  note_stack_bytes(base.object, at, int64_t{at} + size);
  const Frame& frame = state_.frames[base.object];
  const StackSlot* slot = frame.find_slot(at);
  const uint32_t first = byte_in_slot(at);
  if (slot == nullptr)
    return unknown;
  const uint32_t spilled = slot->spill_bytes();
  if (spilled != 0 && first == 0 && size <= spilled) {
    if (size == kSlotBytes)
      return slot->spilled;
    if (slot->spilled.is_pointer()) {
      forget_number(slot->spilled);
      return unknown;
    }
    const Scalar low = zero_extend(size * 8, slot->spilled.value);
    if (sign_extend)
      return RegState::scalar(verifier::sign_extend(size * 8, true, low));
    // A whole narrow spill, or a number that fits, is the very number that was spilled.
    const bool same = slot->spilled.value.umax <= Scalar::loaded(size * 8, false).umax;
    if (same)
      return slot->spilled;
    return RegState::scalar(low);
  }
  bool all_zero = true;
  for (uint32_t b = first; b < first + size; ++b) {
    const ByteKind kind = slot->kinds[b];
    all_zero &= kind == ByteKind::zero || (kind == ByteKind::spill && slot->spilled.is_zero());
    if (kind == ByteKind::spill)
      forget_number(slot->spilled);
  }
  return all_zero ? RegState::constant(0) : unknown;
}

Status Walker::write_stack(const RegState& base, int64_t off, uint32_t size,
                           const RegState& value) {
  const bool exact = base.value.is_constant();
  if (value.is_pointer()) {
    const bool callers = base.object + 1 != state_.frames.size();
    if (exact && size != kSlotBytes)
      return error(Code::kPartialSpill, "part of a pointer is stored to the stack",
                   std::to_string(size) + " bytes of " + describe(value), "all 8 bytes");
    if (value.type == Type::stack && callers)
      return error(Code::kStackEscape, "a pointer to the stack is stored into a caller's frame",
                   describe(value), "a value that outlives the call");
    const bool is_key = value.type == Type::memory && value.read_only && value.owner == 0;
    // The helper that calls back has it on its stack.
    if ((is_key || value.type == Type::dynptr) && callers)
      return error(Code::kStackEscape, "what a helper lends is stored into a caller's frame",
                   describe(value), "a copy of its contents");
  }
  if (!exact) {
    forget_number(value);
    overwrite_stack(base, off, {size, size, true});
    return {};
  }
  const auto at = static_cast<int32_t>(base.value.smin + off);
  const uint32_t first = byte_in_slot(at);
  StackSlot& slot = state_.frames[base.object].slot_at(at);
  // Any overlap forgets what was spilled, exact match included.
  if (slot.has_spill() && first < slot.spill_bytes())
    slot.drop_spill();
  if (first == 0) {
    for (uint32_t b = 0; b < size; ++b)
      slot.kinds[b] = ByteKind::spill;
    slot.spilled = value;
    if (value.is_scalar() && size < kSlotBytes) {
      const bool fits = value.value.umax <= Scalar::loaded(size * 8, false).umax;
      if (!fits)
        slot.spilled = RegState::scalar(zero_extend(size * 8, value.value));
    }
    return {};
  }
  for (uint32_t b = first; b < first + size; ++b)
    slot.kinds[b] = value.is_zero() ? ByteKind::zero : ByteKind::misc;
  return {};
}

// Something of unknown contents is written. With an exact place and size the bytes count as
// written; otherwise each of them may also be as before: kinds that promise something are lost,
// unwritten ones stay so.
void Walker::overwrite_stack(const RegState& base, int64_t off, const Extent& extent) {
  Frame& frame = state_.frames[base.object];
  const int64_t begin = base.value.smin + off;
  const int64_t end = base.value.smax + off + static_cast<int64_t>(extent.max);
  const bool certain = base.value.is_constant() && extent.filled;
  const int64_t certain_end = certain ? begin + static_cast<int64_t>(extent.min) : begin;
  for (int64_t offset = begin; offset < end; ++offset) {
    StackSlot& slot = frame.slot_at(static_cast<int32_t>(offset));
    const uint32_t b = byte_in_slot(offset);
    if (slot.has_spill() && b < slot.spill_bytes()) {
      forget_number(slot.spilled);
      slot.drop_spill();
    }
    if (offset < certain_end || slot.kinds[b] != ByteKind::unwritten)
      slot.kinds[b] = ByteKind::misc;
  }
}

std::optional<Scalar> Walker::constant_on_stack(const RegState& base, uint32_t size) const {
  if (base.type != Type::stack || !base.value.is_constant() || size > kSlotBytes)
    return std::nullopt;
  const auto at = static_cast<int32_t>(base.value.smin);
  const StackSlot* slot = state_.frames[base.object].find_slot(at);
  const uint32_t first = byte_in_slot(at);
  if (slot == nullptr || first + size > kSlotBytes)
    return std::nullopt;
  if (first == 0 && slot->spill_bytes() >= size && slot->spilled.is_scalar()) {
    const Scalar low = zero_extend(size * 8, slot->spilled.value);
    return low;
  }
  for (uint32_t b = first; b < first + size; ++b)
    if (slot->kinds[b] != ByteKind::zero)
      return std::nullopt;
  return Scalar::constant(0);
}

} // namespace bpfaot::verifier
