// SPDX-License-Identifier: MIT
//
// One abstract machine state: frames of registers and bytes of stack, and the references that are
// held. Values only; nothing here knows instructions.
//
// Identities (RegState::id, ::ref) are drawn from a counter that never repeats during a walk, so a
// stale one can never match by accident. They are compared across states only through a mapping
// (verifier/inclusion.h).
#pragma once

#include "bpf/insn.h"
#include "verifier/scalar.h"

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

namespace bpfaot::verifier {

inline constexpr int32_t kStackBytes = 512; // per frame, and for all frames of a call chain
inline constexpr size_t kMaxFrames = 8;
inline constexpr uint32_t kSlotBytes = 8;

enum class Type : uint8_t {
  none,
  scalar,
  ctx,
  map_handle,
  map_value,
  stack,
  memory,
  function,
  packet,
  packet_meta,
  packet_end,
  dynptr, // lent by a helper that calls back, or by a caller: `owner` is which
};

struct RegState {
  Type type = Type::none;
  bool maybe_null = false;
  bool released = false; // scalar that was a pointer to a released record; for messages only
  // maybe_null: the null check it shares; scalar: its equality group; packet, packet_meta: those
  // that the same unknown numbers were added to. 0 = none
  uint32_t id = 0;
  uint32_t ref = 0; // memory: the reference that must be released
  // memory: the object of the stack that it was lent out of, or the reference that this one holds
  uint32_t owner = 0;
  uint32_t object =
      0;             // map_handle, map_value, memory: MapId; stack: frame number; function: FuncId
  // memory: bytes; packet, packet_meta: so many bytes from the group's base are in the packet
  uint32_t size = 0;
  bool read_only = false; // memory
  uint32_t argument = 0; // memory: which argument of a global function it came as; 0 = none
  bool unaligned = false; // memory: of any address; other processes may write there
  // Members of an equality group differ by constants: value - delta is the same number (modulo
  // 2^64) in all of them. packet, packet_meta: distance from the group's base.
  uint64_t delta = 0;
  Scalar value; // scalar: the number; pointers: offset from the object's start (stack: from r10)

  bool operator==(const RegState&) const = default;
  bool is_scalar() const { return type == Type::scalar; }
  bool is_pointer() const { return type != Type::scalar && type != Type::none; }
  bool is_packet() const { return type == Type::packet || type == Type::packet_meta; }
  bool is_zero() const { return is_scalar() && value.is_constant() && value.umin == 0; }
  // Certainly not the number 0: offsets stay far from wrapping around.
  bool certainly_not_null() const;

  static RegState scalar(const Scalar& value) {
    RegState r;
    r.type = Type::scalar;
    r.value = value;
    return r;
  }
  static RegState constant(uint64_t x) { return scalar(Scalar::constant(x)); }
  static RegState pointer(Type type, uint32_t object) {
    RegState r;
    r.type = type;
    r.object = object;
    r.value = Scalar::constant(0);
    return r;
  }
};

enum class ByteKind : uint8_t { unwritten, misc, zero, spill, object };

// Eight bytes of an object that a program keeps in its stack: see verifier/typestate.h.
struct StackObject {
  enum class Kind : uint8_t { none, num_iterator, dynptr };
  enum class Source : uint8_t { none, memory, ring, packet }; // what a dynptr is of

  Kind kind = Kind::none;
  uint8_t part = 0;       // which eight bytes of it
  bool drained = false;   // iterators: there are no more elements
  Source source = Source::none;
  bool read_only = false; // dynptrs
  uint32_t id = 0;        // which object
  uint32_t ref = 0;       // the reference that it must give back, 0 = none
  uint32_t taken = 0;     // iterators: elements so far

  bool operator==(const StackObject&) const = default;
};

// Eight bytes of stack. The first n bytes of kind spill (n = 1, 2, 4 or 8) hold `spilled`, whose
// value fits in them; a pointer always fills all eight.
struct StackSlot {
  std::array<ByteKind, kSlotBytes> kinds{};
  RegState spilled;
  StackObject object; // all bytes are of kind object

  bool operator==(const StackSlot&) const = default;
  uint32_t spill_bytes() const;
  bool has_spill() const { return kinds[0] == ByteKind::spill; }
  // Forgets the spilled value, keeping that its bytes were written.
  void drop_spill();
};

// Bit b stands for the byte at r10 - 1 - b.
using StackBytes = std::bitset<kStackBytes>;

struct Frame {
  std::array<RegState, 11> regs;
  std::vector<StackSlot> stack; // [i] covers r10 - 8 * (i + 1) up to r10 - 8 * i
  bpf::FuncId func;
  bpf::InsnIndex call_site; // in the caller's function; invalid in the first frame
  uint32_t activation = 0;  // which call this is: no other frame of the walk has it
  uint32_t may_gotos = 0;   // iterations taken from this call's budget of may_goto
  // A callback that a helper calls: which call of it this is, from 1, or at least is (1 where calls
  // are not counted). 0: called by an instruction.
  uint64_t iteration = 0;
  uint32_t helper_call = 0; // callbacks: which call of the helper, and how often it has called back
  uint32_t calls = 0;
  int32_t helper = 0; // callbacks: who calls
  uint32_t lent = 0;  // callbacks: the dynptr that they get, 0 = none
  uint32_t last_id_at_entry = 0; // callbacks: references with a greater id are of this call

  bool operator==(const Frame&) const = default;
  StackSlot& slot_at(int32_t offset); // offset < 0; grows the stack
  const StackSlot* find_slot(int32_t offset) const;
  ByteKind byte_at(int32_t offset) const;
};

struct Reference {
  uint32_t id = 0;
  bpf::InsnIndex acquired_at;
  StackObject::Kind kind = StackObject::Kind::none; // none: a record
  bool operator==(const Reference&) const = default;
};

struct State {
  std::vector<Frame> frames;
  std::vector<Reference> refs;
  bpf::InsnIndex pc;

  Frame& top() { return frames.back(); }
  const Frame& top() const { return frames.back(); }
  RegState& reg(bpf::Reg r) { return frames.back().regs[r.number]; }
  const RegState& reg(bpf::Reg r) const { return frames.back().regs[r.number]; }
  size_t bytes() const; // of memory held, roughly

  // Calls fn(RegState&) for every register and spilled value of every frame.
  template <class Fn> void for_each_value(Fn&& fn) {
    for (Frame& frame : frames) {
      for (RegState& r : frame.regs)
        fn(r);
      for (StackSlot& slot : frame.stack)
        if (slot.has_spill())
          fn(slot.spilled);
    }
  }
};

// Bytes from r10 - 1 down; index into StackBytes.
constexpr uint32_t stack_bit(int32_t offset) {
  return static_cast<uint32_t>(-1 - offset);
}

} // namespace bpfaot::verifier
