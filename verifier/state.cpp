// SPDX-License-Identifier: MIT
//
// Stack slots and small questions about states.
#include "verifier/state.h"

namespace bpfaot::verifier {

bool RegState::certainly_not_null() const {
  constexpr int64_t kFar = 1 << 29;
  return is_pointer() && !maybe_null && value.smin > -kFar && value.smax < kFar;
}

uint32_t StackSlot::spill_bytes() const {
  uint32_t count = 0;
  while (count < kSlotBytes && kinds[count] == ByteKind::spill)
    ++count;
  return count;
}

void StackSlot::drop_spill() {
  for (ByteKind& kind : kinds)
    if (kind == ByteKind::spill)
      kind = ByteKind::misc;
  spilled = {};
}

StackSlot& Frame::slot_at(int32_t offset) {
  const uint32_t index = stack_bit(offset) / kSlotBytes;
  if (index >= stack.size())
    stack.resize(index + 1);
  return stack[index];
}

const StackSlot* Frame::find_slot(int32_t offset) const {
  const uint32_t index = stack_bit(offset) / kSlotBytes;
  return index < stack.size() ? &stack[index] : nullptr;
}

ByteKind Frame::byte_at(int32_t offset) const {
  const StackSlot* slot = find_slot(offset);
  return slot != nullptr ? slot->kinds[static_cast<uint32_t>(offset) % kSlotBytes]
                         : ByteKind::unwritten;
}

size_t State::bytes() const {
  size_t total = sizeof(State) + frames.size() * sizeof(Frame) + refs.size() * sizeof(Reference);
  for (const Frame& frame : frames)
    total += frame.stack.size() * sizeof(StackSlot);
  return total;
}

} // namespace bpfaot::verifier
