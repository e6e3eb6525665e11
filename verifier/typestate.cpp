// SPDX-License-Identifier: MIT
#include "verifier/typestate.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

void end_value(RegState& value) {
  value = RegState::scalar({});
  value.released = true;
}

} // namespace

int32_t object_bytes(StackObject::Kind kind) {
  switch (kind) {
  case StackObject::Kind::none: return 0;
  case StackObject::Kind::num_iterator: return 8;
  case StackObject::Kind::dynptr: return 16;
  }
  return 0;
}

const char* object_name(StackObject::Kind kind) {
  switch (kind) {
  case StackObject::Kind::none: return "no object";
  case StackObject::Kind::num_iterator: return "an iterator";
  case StackObject::Kind::dynptr: return "a dynptr";
  }
  return "";
}

const StackObject* find_object(const Frame& frame, int32_t offset) {
  const StackSlot* first = frame.find_slot(offset);
  if (first == nullptr || first->object.kind == StackObject::Kind::none || first->object.part != 0)
    return nullptr;
  for (int32_t at = kSlotBytes; at < object_bytes(first->object.kind); at += kSlotBytes) {
    const StackSlot* next = offset + at < 0 ? frame.find_slot(offset + at) : nullptr;
    if (next == nullptr || next->object.id != first->object.id ||
        next->object.part != at / static_cast<int32_t>(kSlotBytes))
      return nullptr;
  }
  return &first->object;
}

void place_object(Frame& frame, int32_t offset, StackObject object) {
  for (int32_t at = 0; at < object_bytes(object.kind); at += kSlotBytes) {
    StackSlot& slot = frame.slot_at(offset + at);
    slot.spilled = {};
    slot.kinds.fill(ByteKind::object);
    object.part = static_cast<uint8_t>(at / static_cast<int32_t>(kSlotBytes));
    slot.object = object;
  }
}

void for_each_slot(State& state, uint32_t id, const std::function<void(StackObject&)>& fn) {
  for (Frame& frame : state.frames)
    for (StackSlot& slot : frame.stack)
      if (slot.object.kind != StackObject::Kind::none && slot.object.id == id)
        fn(slot.object);
}

void end_object(State& state, uint32_t id) {
  for (Frame& frame : state.frames)
    for (StackSlot& slot : frame.stack)
      if (slot.object.kind != StackObject::Kind::none && slot.object.id == id) {
        slot.object = {};
        slot.kinds.fill(ByteKind::misc);
      }
  state.for_each_value([id](RegState& value) {
    if (value.owner == id)
      end_value(value);
  });
}

void end_reference(State& state, uint32_t ref) {
  std::erase_if(state.refs, [ref](const Reference& r) { return r.id == ref; });
  std::vector<uint32_t> objects;
  for (const Frame& frame : state.frames)
    for (const StackSlot& slot : frame.stack)
      if (slot.object.kind != StackObject::Kind::none && slot.object.ref == ref)
        objects.push_back(slot.object.id);
  for (const uint32_t id : objects)
    end_object(state, id);
  state.for_each_value([ref](RegState& value) {
    if (value.ref == ref || value.owner == ref)
      end_value(value);
  });
}

bool is_same_object(const StackObject& a, const StackObject& b) {
  return a.kind == b.kind && a.part == b.part && a.drained == b.drained && a.source == b.source &&
         a.read_only == b.read_only && (a.ref == 0) == (b.ref == 0);
}

} // namespace bpfaot::verifier
