// SPDX-License-Identifier: MIT
//
// Inclusion on full states. Identities are related by a mapping from old to new that is built on
// the way: equal old identities must map to equal new ones (the old state promises a relation that
// the new one has to keep); different old ones may map to the same. References map one to one.
#include "verifier/inclusion.h"

#include "verifier/typestate.h"

#include <optional>

namespace bpfaot::verifier {
namespace {

using bpf::InsnIndex;

class Comparison {
public:
  Comparison(const State& old_state, const State& new_state, const Liveness& liveness,
             const Scopes& scopes, std::vector<UnwrittenBytes>* unwritten)
      : old_(old_state), new_(new_state), liveness_(liveness), scopes_(scopes),
        unwritten_(unwritten) {}

  bool run() {
    if (old_.frames.size() != new_.frames.size() || old_.refs.size() != new_.refs.size())
      return false;
    for (size_t i = 0; i < old_.frames.size(); ++i)
      if (old_.frames[i].func != new_.frames[i].func ||
          old_.frames[i].call_site != new_.frames[i].call_site ||
          (old_.frames[i].iteration == 0) != (new_.frames[i].iteration == 0) ||
          old_.frames[i].iteration > new_.frames[i].iteration || // fewer calls may follow it
          !pays_the_same(old_.frames[i], new_.frames[i]))
        return false;
    for (size_t i = old_.frames.size(); i > 0; --i)
      if (!frame(i - 1))
        return false;
    return references();
  }

private:
  struct Mapping {
    uint32_t from, to;
    uint64_t shift; // delta(new) - delta(old)
  };

  // The budget that the new state takes from is the old one's, or nobody will come back to the old
  // state's scope.
  bool is_budget(uint32_t from, uint32_t to) const { return from == to || scopes_.is_finished(from); }
  bool pays_the_same(const Frame& from, const Frame& to) const {
    return (!scopes_.has_may_goto(from.func) || is_budget(from.activation, to.activation)) &&
           (from.iteration == 0 || is_budget(from.helper_call, to.helper_call));
  }

  bool map_id(uint32_t from, uint32_t to, uint64_t shift) {
    for (const Mapping& m : ids_)
      if (m.from == from)
        return m.to == to && m.shift == shift && to != 0;
    ids_.push_back({from, to, shift});
    return true;
  }
  bool map_ref(uint32_t from, uint32_t to) {
    for (const Mapping& m : refs_) {
      if (m.from == from || m.to == to)
        return m.from == from && m.to == to;
    }
    refs_.push_back({from, to, 0});
    return true;
  }

  bool value(const RegState& old_reg, const RegState& new_reg) {
    // Types must agree, "never written" included: bpf_trace_printk() may be passed such registers.
    if (old_reg.type != new_reg.type || old_reg.maybe_null != new_reg.maybe_null ||
        old_reg.object != new_reg.object || old_reg.read_only != new_reg.read_only ||
        old_reg.argument != new_reg.argument || old_reg.unaligned != new_reg.unaligned)
      return false;
    if (old_reg.is_packet()) {
      // What was proven about the old group must hold for the new one.
      if (old_reg.size > new_reg.size || old_reg.delta != new_reg.delta ||
          (old_reg.id == 0) != (new_reg.id == 0))
        return false;
    } else if (old_reg.size != new_reg.size) {
      return false;
    }
    if (!old_reg.value.includes(new_reg.value))
      return false;
    if (old_reg.id != 0 && !map_id(old_reg.id, new_reg.id, new_reg.delta - old_reg.delta))
      return false;
    if ((old_reg.ref == 0) != (new_reg.ref == 0) || (old_reg.owner == 0) != (new_reg.owner == 0))
      return false;
    if (old_reg.owner != 0 && !map_ref(old_reg.owner, new_reg.owner))
      return false;
    return old_reg.ref == 0 || map_ref(old_reg.ref, new_reg.ref);
  }

  // The slot as the number that an eight-byte load gives, when nothing says more.
  static bool is_any_number(const StackSlot& slot) {
    return slot.spill_bytes() == kSlotBytes && slot.spilled.is_scalar() && slot.spilled.id == 0 &&
           slot.spilled.value == Scalar{};
  }

  bool slot(const StackSlot& old_slot, const StackSlot& new_slot, uint32_t live,
            uint32_t& unwritten) {
    const StackObject &was_object = old_slot.object, &is_object = new_slot.object;
    if (live != 0 && (was_object.kind != StackObject::Kind::none ||
                      is_object.kind != StackObject::Kind::none)) {
      const bool is_same =
          is_same_object(was_object, is_object) && map_ref(was_object.id, is_object.id) &&
          (was_object.ref == 0 || map_ref(was_object.ref, is_object.ref));
      return is_same && (was_object.kind != StackObject::Kind::num_iterator ||
                         is_budget(was_object.id, is_object.id));
    }
    const uint32_t old_spill = old_slot.spill_bytes();
    const bool any_number = is_any_number(old_slot);
    const uint32_t spill_mask = (1u << old_spill) - 1;
    // The old state's walk could read a spilled context as bytes without noting that it escapes.
    const bool hides_ctx = new_slot.has_spill() && new_slot.spilled.type == Type::ctx &&
                           !(old_spill == kSlotBytes && old_slot.spilled.type == Type::ctx);
    if (hides_ctx && live != 0)
      return false;
    if (old_spill != 0 && (live & spill_mask) != 0 && !any_number) {
      if (new_slot.spill_bytes() != old_spill || !value(old_slot.spilled, new_slot.spilled))
        return false;
    }
    for (uint32_t b = 0; b < kSlotBytes; ++b) {
      if ((live >> b & 1) == 0)
        continue;
      const ByteKind was = old_slot.kinds[b], is = new_slot.kinds[b];
      if (was == ByteKind::unwritten || (was == ByteKind::spill && is == ByteKind::spill))
        continue;
      if (was == ByteKind::zero && is != ByteKind::zero &&
          !(is == ByteKind::spill && new_slot.spilled.is_zero()))
        return false;
      if (was == ByteKind::spill && !any_number)
        return false;
      unwritten |= uint32_t{is == ByteKind::unwritten} << b;
    }
    return true;
  }

  bool stack(const Frame& old_frame, const Frame& new_frame, const StackBytes& live) {
    static const StackSlot kUntouched;
    UnwrittenBytes found{old_frame.func, {}};
    const size_t count = std::max(old_frame.stack.size(), new_frame.stack.size());
    for (size_t i = 0; i < count; ++i) {
      const auto lowest = static_cast<int32_t>(-8 * static_cast<int64_t>(i + 1));
      uint32_t mask = 0;
      for (uint32_t b = 0; b < kSlotBytes; ++b)
        mask |= uint32_t{live.test(stack_bit(lowest + static_cast<int32_t>(b)))} << b;
      if (mask == 0)
        continue;
      const StackSlot& old_slot = i < old_frame.stack.size() ? old_frame.stack[i] : kUntouched;
      const StackSlot& new_slot = i < new_frame.stack.size() ? new_frame.stack[i] : kUntouched;
      uint32_t unwritten = 0;
      if (!slot(old_slot, new_slot, mask, unwritten))
        return false;
      for (uint32_t b = 0; b < kSlotBytes; ++b)
        if ((unwritten >> b & 1) != 0)
          found.bytes.set(stack_bit(lowest + static_cast<int32_t>(b)));
    }
    if (unwritten_ != nullptr && found.bytes.any())
      unwritten_->push_back(found);
    return true;
  }

  bool frame(size_t index) {
    const Frame& old_frame = old_.frames[index];
    const Frame& new_frame = new_.frames[index];
    const bool is_top = index + 1 == old_.frames.size();
    LiveSet live;
    if (is_top) {
      live = liveness_.before(old_.pc);
    } else {
      // A caller waits at its call: the callee may read its stack through pointers, and r6 to r9
      // are live if they are after the call.
      const InsnIndex call = old_.frames[index + 1].call_site;
      live.stack = liveness_.before(call).stack;
      live.regs = liveness_.before(call.next()).regs & 0x3c0;
      // The helper that called a callback calls it again with what it was given.
      if (old_.frames[index + 1].iteration != 0)
        live.regs = static_cast<uint16_t>(live.regs | (liveness_.before(call).regs & 0x3e));
    }
    for (size_t r = 0; r < 10; ++r)
      if ((live.regs >> r & 1) != 0 && !value(old_frame.regs[r], new_frame.regs[r]))
        return false;
    return stack(old_frame, new_frame, live.stack);
  }

  bool references() {
    for (size_t i = 0; i < old_.refs.size(); ++i)
      if (old_.refs[i].kind != new_.refs[i].kind || !map_ref(old_.refs[i].id, new_.refs[i].id))
        return false;
    return true;
  }

  const State& old_;
  const State& new_;
  const Liveness& liveness_;
  const Scopes& scopes_;
  std::vector<UnwrittenBytes>* unwritten_;
  std::vector<Mapping> ids_, refs_;
};

} // namespace

bool includes(const State& old_state, const State& new_state, const Liveness& liveness,
              const Scopes& scopes, std::vector<UnwrittenBytes>* unwritten) {
  if (unwritten != nullptr)
    unwritten->clear();
  return Comparison(old_state, new_state, liveness, scopes, unwritten).run();
}

} // namespace bpfaot::verifier
