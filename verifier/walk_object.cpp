// SPDX-License-Identifier: MIT
//
// Calls on objects of the stack (verifier/typestate.h) and accesses to their bytes.
//
// Loops through an iterator are walked as those through may_goto are (explored.h): where the next
// element is asked for, there may be none, which is always walked, or one more, which is walked
// unless an earlier state with the same iterator covers it. Each element is paid by the iterator,
// which has only so many.
#include "verifier/typestate.h"
#include "verifier/walker.h"

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr uint32_t kElementBytes = 4; // of a numeric iterator

} // namespace

// Where an argument that is an object lies: at a known, aligned place of some frame.
Result<Walker::ObjectPlace> Walker::object_place(Reg r, StackObject::Kind kind) {
  const RegState& arg = state_.reg(r);
  const bool is_placed = arg.type == Type::stack && arg.value.is_constant();
  if (!is_placed || arg.value.smin % int64_t{kSlotBytes} != 0)
    return error(Code::kHelperArg, name(r) + " is no place for " + object_name(kind),
                 name(r) + " is " + describe(arg),
                 "a constant, aligned place of the stack for it");
  TRY(check_stack_bounds(r, 0, static_cast<uint64_t>(object_bytes(kind))));
  return ObjectPlace{arg.object, static_cast<int32_t>(arg.value.smin)};
}

// A place that an object will fill: what is there is overwritten.
Status Walker::check_new_object(CallContext& call, Reg r, StackObject::Kind kind) {
  call.place = TRY(object_place(r, kind));
  const int32_t begin = call.place.offset, end = begin + object_bytes(kind);
  const Code code = kind == StackObject::Kind::dynptr ? Code::kDynptr : Code::kIterator;
  const Frame& frame = state_.frames[call.place.frame];
  for (int32_t at = begin; at < end; at += kSlotBytes) {
    const StackSlot* slot = frame.find_slot(at);
    if (slot != nullptr && slot->object.kind == kind && slot->object.ref != 0)
      return error(code, std::string("there is ") + object_name(kind) + " already",
                   name(r) + " is " + describe(state_.reg(r)), "a place that holds none");
  }
  return overwrite_objects(call.place.frame, begin, end);
}

// An object that exists.
Status Walker::check_object_argument(CallContext& call, Reg r, StackObject::Kind kind) {
  if (const RegState& arg = state_.reg(r);
      arg.type == Type::dynptr && kind == StackObject::Kind::dynptr) {
    call.object = {};
    call.object.kind = kind;
    call.object.source = StackObject::Source::memory;
    call.object.id = arg.owner;
    return {};
  }
  call.place = TRY(object_place(r, kind));
  const StackObject* object = find_object(state_.frames[call.place.frame], call.place.offset);
  if (object == nullptr || object->kind != kind)
    return error(kind == StackObject::Kind::dynptr ? Code::kDynptr : Code::kIterator,
                 std::string(object_name(kind)) + " was not made here, or has ended",
                 name(r) + " is " + describe(state_.reg(r)),
                 std::string(object_name(kind)) + " that was made on every path");
  note_stack_bytes(call.place.frame, call.place.offset,
                   int64_t{call.place.offset} + object_bytes(kind));
  call.object = *object;
  return {};
}

// Bytes [begin, end) of a frame are accessed by an instruction or by a helper that knows nothing of
// objects.
Status Walker::check_object_bytes(uint32_t frame, int64_t begin, int64_t end, Access access,
                                  bool by_instruction) {
  begin = std::max<int64_t>(begin, -kStackBytes);
  for (int64_t at = begin & -int64_t{kSlotBytes}; at < std::min<int64_t>(end, 0); at += kSlotBytes) {
    const StackSlot* slot = state_.frames[frame].find_slot(static_cast<int32_t>(at));
    if (slot == nullptr || slot->object.kind == StackObject::Kind::none)
      continue;
    if (access == Access::write && by_instruction)
      return overwrite_objects(frame, begin, end);
    return error(Code::kStackObject,
                 std::string("the bytes of ") + object_name(slot->object.kind) + " are accessed",
                 "bytes [" + std::to_string(at) + ", " + std::to_string(at + kSlotBytes) +
                     ") from r10 belong to it",
                 "the functions for it");
  }
  return {};
}

// The end of a reservation.
Status Walker::check_reserved(const CallContext& call, Reg r) const {
  if (call.object.source == StackObject::Source::ring && call.object.ref != 0)
    return {};
  return error(Code::kDynptr, "this dynptr is not of a reserved record",
               name(r) + " is " + describe(state_.reg(r)),
               "one that bpf_ringbuf_reserve_dynptr() made");
}

// bpf_throw: every function returns, whatever it was about to do.
Status Walker::throw_out() {
  TRY(check_throw());
  ended_ = true;
  return {};
}

// Whether something may throw here, also a global function that is called.
Status Walker::check_throw() const {
  for (const Frame& frame : state_.frames)
    if (frame.iteration != 0)
      return error(Code::kThrow, "bpf_throw cannot be called in a callback",
                   "a helper is calling back", "a callback that returns 1, and a throw behind it");
  return check_reference_leaks();
}

// An object that nobody has to give back just ends when its bytes are overwritten.
Status Walker::overwrite_objects(uint32_t frame, int64_t begin, int64_t end) {
  for (int64_t at = begin & -int64_t{kSlotBytes}; at < end; at += kSlotBytes) {
    const StackSlot* slot = state_.frames[frame].find_slot(static_cast<int32_t>(at));
    if (slot == nullptr || slot->object.kind == StackObject::Kind::none)
      continue;
    const StackObject object = slot->object;
    if (object.ref != 0)
      return error(Code::kStackObject,
                   std::string(object_name(object.kind)) + " that must be given back is overwritten",
                   "bytes [" + std::to_string(at) + ", " + std::to_string(at + kSlotBytes) +
                       ") from r10 belong to it",
                   object.kind == StackObject::Kind::dynptr ? "to submit or discard it first"
                                                            : "to destroy it first");
    end_object(state_, object.id);
  }
  return {};
}

// What a call does to its object, once all arguments are checked.
void Walker::update_object(const CallContext& call) {
  for (const HelperArg arg : call.info->args) {
    switch (arg) {
    case HelperArg::num_iterator_new: {
      StackObject made;
      made.kind = StackObject::Kind::num_iterator;
      made.id = made.ref = new_id();
      state_.refs.push_back({made.ref, state_.pc, made.kind});
      place_object(state_.frames[call.place.frame], call.place.offset, made);
      explored_.open_scope(made.id, parent_);
      break;
    }
    case HelperArg::dynptr_new: {
      StackObject made;
      made.kind = StackObject::Kind::dynptr;
      made.id = new_id();
      if (call.object.kind == StackObject::Kind::dynptr) { // a clone
        made.source = call.object.source;
        made.read_only = call.object.read_only;
        made.ref = call.object.ref;
      } else if (call.map != nullptr) {
        made.source = StackObject::Source::ring;
        made.ref = new_id();
        state_.refs.push_back({made.ref, state_.pc, made.kind});
      } else {
        made.source = StackObject::Source::memory;
      }
      place_object(state_.frames[call.place.frame], call.place.offset, made);
      break;
    }
    case HelperArg::num_iterator_end:
    case HelperArg::dynptr_end: end_reference(state_, call.object.ref); break;
    default: break;
    }
  }
}

// Of the two ways that the call may go on, "no more" is the one that this path takes.
void Walker::next_element(const CallContext& call) {
  const uint32_t id = call.object.id;
  const auto finish = [this](State& state, RegState result) {
    for (uint8_t r = 0; r <= 5; ++r)
      state.reg(Reg{r}) = {};
    state.reg(Reg{0}) = std::move(result);
  };
  if (!call.object.drained) {
    State more = state_;
    if (!explored_.covers_iteration(more, id, 0, thresholds_, unwritten_)) {
      for_each_slot(more, id, [](StackObject& object) { ++object.taken; });
      RegState element = RegState::pointer(Type::memory, UINT32_MAX);
      element.size = kElementBytes;
      element.read_only = true;
      element.owner = id;
      finish(more, element);
      facts_.after(more.pc, more, more.reg(Reg{0}));
      more.pc = more.pc.next();
      push(std::move(more));
    }
    for (const UnwrittenBytes& found : unwritten_)
      facts_.unwritten(found.func, found.bytes);
    unwritten_.clear();
  }
  for_each_slot(state_, id, [](StackObject& object) { object.drained = true; });
  finish(state_, RegState::constant(0));
}

} // namespace bpfaot::verifier
