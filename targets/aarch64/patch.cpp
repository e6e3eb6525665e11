// SPDX-License-Identifier: MIT
//
// Which instruction a jump replaces, and how it runs elsewhere.
//
// A site is one instruction, replaced by a branch of the same size, so nothing can lead into it. What
// remains to be looked at: a landing pad must stay where indirect branches arrive; a trampoline
// between a load-exclusive and its store-exclusive would make the store fail for ever; and an
// instruction that refers to its own address must be rewritten.
#include "targets/aarch64/patch.h"

#include "support/hex.h"
#include "targets/aarch64/emit.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::targets::aarch64 {
namespace {

constexpr uint32_t kInsnSize = 4;
constexpr uint32_t kNop = 0xd503201f;
constexpr uint64_t kFarBranch = 1 << 20; // no conditional branch of a function goes further

uint32_t word_at(std::span<const uint8_t> bytes, uint64_t at) {
  uint32_t word = 0;
  std::memcpy(&word, &bytes[at], 4);
  return word;
}

// Whether a store-exclusive can be reached from `at` without a load-exclusive before it: then the
// monitor is set there.
bool is_exclusive(const SiteRequest& request, uint64_t at) {
  const uint64_t size = request.function_size != 0 ? request.function_size : request.code.size();
  std::vector<bool> seen(size / kInsnSize);
  std::vector<uint64_t> todo{at};
  while (!todo.empty()) {
    uint64_t here = todo.back();
    todo.pop_back();
    while (here + kInsnSize <= size && !seen[here / kInsnSize]) {
      seen[here / kInsnSize] = true;
      const std::optional<Decoded> decoded = decode_word(word_at(request.code, here), request.pc + here);
      if (!decoded || decoded->form == Form::load_exclusive || decoded->form == Form::clear_exclusive) {
        break;
      }
      if (decoded->form == Form::store_exclusive) {
        return true;
      }
      const InsnClass kind = decoded->insn.kind;
      const uint64_t target = decoded->insn.target - request.pc;
      if ((kind == InsnClass::jump || kind == InsnClass::branch) && target < size && target % kInsnSize == 0) {
        todo.push_back(target);
      }
      if (ends_flow(kind)) {
        break;
      }
      here += kInsnSize;
    }
  }
  return false;
}

} // namespace

Result<SiteCover> cover(const SiteRequest& request) {
  const uint64_t size = request.code.size();
  if (request.at < request.pc || request.at - request.pc >= size || request.function_size > size) {
    return fail(Code::kAttachDecode, "no code at " + hex(request.at));
  }
  if (request.at % kInsnSize != 0 || request.pc % kInsnSize != 0) {
    return fail(Code::kAttachDecode, hex(request.at) + " is inside an instruction");
  }
  SiteCover cover;
  cover.at_entry = request.at == request.pc;
  uint64_t at = request.at - request.pc;
  uint64_t end = request.function_size != 0 ? request.function_size : size;
  if (request.room != 0) {
    end = std::min(end, request.room);
  }
  std::optional<Decoded> decoded;
  for (int pads = 0;; ++pads, at += kInsnSize) {
    if (at + kInsnSize > end) {
      return fail(Code::kAttachShort, std::to_string(kInsnSize) + " bytes needed at " + hex(request.pc + at) + ", " +
                                          std::to_string(end > at ? end - at : 0) + " there");
    }
    decoded = decode_word(word_at(request.code, at), request.pc + at);
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(request.pc + at) + ": " +
                                           hex_bytes(request.code.subspan(at, kInsnSize)));
    }
    const bool signs = decoded->form == Form::sign_a || decoded->form == Form::sign_b;
    // One landing pad stays. A signing one is a pad at an entry only; elsewhere it can move.
    if (pads == 1 || decoded->insn.kind != InsnClass::landing_pad || (signs && !cover.at_entry)) {
      break;
    }
    if (signs) {
      cover.signing = decoded->form == Form::sign_a ? kSignedA : kSignedB;
    }
  }
  if (decoded->insn.kind == InsnClass::breakpoint) {
    return fail(Code::kAttachBreakpoint, "a breakpoint is at " + hex(request.pc + at) + ": something else has patched this code");
  }
  if (is_exclusive(request, at)) {
    return fail(Code::kAttachExclusive, "the instruction at " + hex(request.pc + at) +
                                            " lies between a load-exclusive and its store-exclusive");
  }
  cover.patch_pc = request.pc + at;
  cover.size = kInsnSize;
  cover.starts = {0};
  cover.falls_out = !ends_flow(decoded->insn.kind);
  return cover;
}

// Branches lead to whole instructions only, and a site is one.
std::vector<LongBranch> find_long_branches(std::span<const uint8_t>, uint64_t) { return {}; }

Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch) {
  Emitter emit(from);
  emit.jump(to);
  if (!emit.in_reach()) {
    return fail(Code::kAttachReach, hex(to) + " is out of reach of a jump at " + hex(from));
  }
  return emit.take();
}

Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t) {
  return fail(Code::kAttachReach, "there is no shorter jump at " + hex(from));
}

std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from) {
  const std::optional<Insn> insn = decode(bytes, from);
  return insn && insn->kind == InsnClass::jump ? std::optional<uint64_t>(insn->target) : std::nullopt;
}

uint32_t padding(std::span<const uint8_t> bytes) {
  return bytes.size() >= kInsnSize && (word_at(bytes, 0) == kNop || word_at(bytes, 0) == 0) ? kInsnSize : 0;
}

namespace {

Status out_of_reach(uint64_t target) {
  return fail(Code::kAttachReach, hex(target) + " is out of reach of the moved code");
}

// A branch that leaves the function may use x16, as a linker's veneer on its way would.
Status move_jump(Emitter& emit, uint64_t target, uint64_t from) {
  if (reaches(emit.pc(), target, 26)) {
    emit.jump(target);
    return {};
  }
  const uint64_t distance = target > from ? target - from : from - target;
  if (distance <= kFarBranch) {
    return out_of_reach(target);
  }
  emit.jump_through(x16, target);
  return {};
}

// Short forms become their opposite over a long one.
Status move_branch(Emitter& emit, const Decoded& decoded) {
  const uint64_t target = decoded.insn.target;
  const bool test = decoded.form == Form::test_branch;
  const uint32_t opcode = decoded.word & (test ? 0xfff8001f : 0xff00001f);
  const unsigned bits = test ? 14 : 19;
  if (reaches(emit.pc(), target, bits)) {
    emit.branch(opcode, 5, bits, target);
    return {};
  }
  if (decoded.form == Form::conditional && (opcode & 0xe) == 0xe) { // always
    emit.jump(target);
  } else {
    const uint32_t opposite = opcode ^ (decoded.form == Form::conditional ? 1u : 1u << 24);
    emit.branch(opposite, 5, bits, emit.pc() + 8);
    emit.jump(target);
  }
  return emit.in_reach() ? Status{} : out_of_reach(target);
}

// Calls leave the address that they would have left and go on as jumps.
Status move_call(Emitter& emit, const Decoded& decoded, uint64_t from) {
  const bool direct = decoded.form == Form::b;
  if (!direct && (decoded.word >> 5 & 31) == x30) {
    return fail(Code::kAttachMove, "a call through the link register cannot be moved");
  }
  if (!direct && (decoded.word >> 24 & 1) != 0 && (decoded.word & 31) == x30) {
    return fail(Code::kAttachMove, "a call that is authenticated with the link register cannot be moved");
  }
  emit.move_imm(x30, from + kInsnSize);
  if (!direct) {
    emit.word(decoded.word & ~(1u << 21)); // blr to br
    return {};
  }
  if (reaches(emit.pc(), decoded.insn.target, 26)) {
    emit.jump(decoded.insn.target);
  } else {
    emit.jump_through(x16, decoded.insn.target);
  }
  return {};
}

void move_load(Emitter& emit, const Decoded& decoded) {
  const uint64_t address = decoded.insn.target;
  const uint32_t kind = decoded.word >> 30, target = decoded.word & 31;
  const bool vector = (decoded.word >> 26 & 1) != 0;
  if (reaches(emit.pc(), address, 19)) {
    emit.branch(decoded.word & 0xff00001f, 5, 19, address);
    return;
  }
  if (!vector && kind == 3) { // a prefetch is only a hint
    emit.word(kNop);
    return;
  }
  // ldr s, d, q; w, x, ldrsw from [base]
  constexpr uint32_t kVector[] = {0xbd400000, 0xfd400000, 0x3dc00000};
  constexpr uint32_t kGeneral[] = {0xb9400000, 0xf9400000, 0xb9800000};
  const bool scratch = vector || target == xzr;
  const Reg base = scratch ? x16 : target;
  if (scratch) {
    emit.word(0xf81f0ff0); // str x16, [sp, #-16]!
  }
  emit.move_imm(base, address);
  emit.word((vector ? kVector : kGeneral)[kind] | base << 5 | target);
  if (scratch) {
    emit.word(0xf84107f0); // ldr x16, [sp], #16
  }
}

Status move_one(Emitter& emit, const Decoded& decoded, uint64_t from) {
  switch (decoded.form) {
  case Form::b:
    return decoded.insn.kind == InsnClass::call ? move_call(emit, decoded, from)
                                                : move_jump(emit, decoded.insn.target, from);
  case Form::conditional: case Form::compare_branch: case Form::test_branch:
    return move_branch(emit, decoded);
  case Form::branch_register:
    if (decoded.insn.kind == InsnClass::indirect_call) {
      return move_call(emit, decoded, from);
    }
    break;
  case Form::adr: case Form::adrp:
    emit.move_imm(decoded.word & 31, decoded.insn.target);
    return {};
  case Form::load_literal: move_load(emit, decoded); return {};
  case Form::tied_to_pc:
    return fail(Code::kAttachMove, "the instruction at " + hex(from) + " depends on its address or its neighbours");
  case Form::load_exclusive: case Form::store_exclusive: case Form::clear_exclusive:
  case Form::sign_a: case Form::sign_b: case Form::other: break;
  }
  emit.word(decoded.word);
  return {};
}

} // namespace

Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch) {
  Emitter emit(to);
  MovedCode moved;
  for (size_t at = 0; at < covered.size(); at += kInsnSize) {
    const std::optional<Decoded> decoded =
        at + kInsnSize <= covered.size() ? decode_word(word_at(covered, at), from + at) : std::nullopt;
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(from + at));
    }
    moved.map.push_back({static_cast<uint8_t>(at), emit.size()});
    TRY(move_one(emit, *decoded, from + at));
  }
  moved.bytes = emit.take();
  return moved;
}

} // namespace bpfaot::targets::aarch64
