// SPDX-License-Identifier: MIT
//
// Objects with a life of their own that programs keep in their stack: iterators and dynptrs. All
// rules of when one exists, what overwriting it means and what dies with it are here and in
// walk_object.cpp; inclusion.cpp says when two are alike. A further kind is a value of
// StackObject::Kind, its size, and the calls that create and end it.
//
// An object fills whole slots, whose bytes are ByteKind::object: programs read and write none of
// them, calls do. Memory that a call lends out of an object (an element of an iterator, a slice of
// a dynptr) is a pointer whose `owner` is the object's id, and is gone with the object. Where an
// object must be given back it holds a Reference; several dynptrs may hold the same. What is lent out
// of one of these belongs to the reference, since the frame of a clone may be left before it ends.
#pragma once

#include "verifier/state.h"

#include <functional>

namespace bpfaot::verifier {

int32_t object_bytes(StackObject::Kind kind);
// "an iterator", "a dynptr": for messages.
const char* object_name(StackObject::Kind kind);

// The whole object that begins at `offset` of the frame; null when none does.
const StackObject* find_object(const Frame& frame, int32_t offset);
// Makes one of slots that hold none.
void place_object(Frame& frame, int32_t offset, StackObject object);
// Calls fn(StackObject&) for all slots of the object `id`.
void for_each_slot(State& state, uint32_t id, const std::function<void(StackObject&)>& fn);
// Ends one object; its bytes hold some numbers, and what was lent out of it is gone.
void end_object(State& state, uint32_t id);
// Ends a reference, and everything that depends on it.
void end_reference(State& state, uint32_t ref);
// Whether two objects stand for the same as far as kind and state go.
bool is_same_object(const StackObject& a, const StackObject& b);

} // namespace bpfaot::verifier
