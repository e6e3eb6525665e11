// SPDX-License-Identifier: MIT
//
// Which bytes a jump may replace, and how the instructions there run elsewhere.
//
// A site is a 5-byte jump. It may replace whole instructions only, none of which but the first may
// be reached from anywhere but the one before it, and none of which may leave an address inside
// the replaced bytes behind (a call that is not the last of them would: its callee returns there).
// What cannot be shown is declined with the reason; nothing is patched on hope.
#include "targets/x86_64/patch.h"

#include "support/hex.h"
#include "targets/x86_64/emit.h"

#include <cstdio>
#include <cstring>

namespace bpfaot::targets::x86_64 {
namespace {

constexpr uint32_t kJumpSize = 5;
constexpr uint32_t kLongestCover = 32;

bool is_padding(const Decoded& decoded, std::span<const uint8_t> bytes) {
  // Compilers fill gaps with nops of any form, xchg %ax,%ax or int3.
  return decoded.insn.kind == InsnClass::nop || bytes[0] == 0xcc ||
         (decoded.opcode == 0x90 && decoded.map == 0);
}

bool reachable(uint64_t from_end, uint64_t to) {
  const int64_t distance = static_cast<int64_t>(to - from_end);
  return distance >= INT32_MIN && distance <= INT32_MAX;
}

// The covered instructions themselves: no trap, no call before the last, nothing undecodable.
Status check_covered(const SiteCover& cover, uint32_t need, const Insn& insn, uint64_t pc) {
  if (insn.kind == InsnClass::breakpoint) {
    return fail(Code::kAttachBreakpoint, "a breakpoint is at " + hex(pc) + ": something else has patched this code");
  }
  const bool is_call = insn.kind == InsnClass::call || insn.kind == InsnClass::indirect_call;
  if (is_call && cover.size < need) {
    return fail(Code::kAttachBranch, "a call at " + hex(pc) + " would return into the " + std::to_string(need) +
                                         " bytes needed at " + hex(cover.patch_pc));
  }
  return {};
}

// Every direct branch of the function, decoded from its first byte.
Status check_inner_branches(const SiteRequest& request, const SiteCover& cover) {
  const uint32_t need = request.need != 0 ? request.need : kJumpSize;
  const uint64_t low = cover.patch_pc;
  const uint64_t high = cover.patch_pc + cover.size;
  bool indirect = false;
  for (uint64_t at = 0; at < request.function_size;) {
    const std::optional<Insn> insn =
        decode(request.code.subspan(at, request.function_size - at), request.pc + at);
    if (!insn) {
      return fail(Code::kAttachDecode, "cannot decode the function at " + hex(request.pc + at) + ": " +
                                           hex_bytes(request.code.subspan(at, std::min<uint64_t>(8, request.function_size - at))));
    }
    const bool direct = insn->kind == InsnClass::jump || insn->kind == InsnClass::branch ||
                        insn->kind == InsnClass::call;
    if (direct && insn->target > low && insn->target < high) {
      return fail(Code::kAttachBranch,
                  std::to_string(need) + " bytes needed at " + hex(low) + ", branch target at +" +
                      std::to_string(insn->target - low) + " (from " + hex(request.pc + at) + ")");
    }
    indirect |= insn->kind == InsnClass::indirect_jump;
    at += insn->length;
  }
  // A jump table of a function never leads into its prologue; elsewhere it may.
  if (indirect && !cover.at_entry && cover.starts.size() > 1) {
    return fail(Code::kAttachBranch, "the function jumps through a table that may lead behind " + hex(low) +
                                         ", where " + std::to_string(cover.starts.size()) +
                                         " instructions would be replaced");
  }
  return {};
}

} // namespace

Result<SiteCover> cover(const SiteRequest& request) {
  const uint64_t size = request.code.size();
  if (request.at < request.pc || request.at - request.pc >= size || request.function_size > size) {
    return fail(Code::kAttachDecode, "no code at " + hex(request.at));
  }
  const uint32_t need = request.need != 0 ? request.need : kJumpSize;
  SiteCover cover;
  cover.at_entry = request.at == request.pc;
  uint64_t at = request.at - request.pc;
  // The probe address must be an instruction of the function.
  for (uint64_t walk = 0; walk < at && request.function_size != 0;) {
    const std::optional<Insn> insn = decode(request.code.subspan(walk), request.pc + walk);
    walk += insn ? insn->length : 1;
    if (walk > at) {
      return fail(Code::kAttachDecode, hex(request.at) + " is inside the instruction at " +
                                           hex(request.pc + walk - insn->length));
    }
  }
  const std::optional<Insn> first = decode(request.code.subspan(at), request.at);
  if (first && first->kind == InsnClass::landing_pad) {
    at += first->length;
  }
  cover.patch_pc = request.pc + at;
  bool flows = true;
  const uint64_t function_end = request.function_size != 0 ? request.function_size : size;
  while (cover.size < need) {
    const uint64_t here = at + cover.size;
    if (here >= size || (request.room != 0 && here >= request.room)) {
      return fail(Code::kAttachShort, std::to_string(need) + " bytes needed at " + hex(cover.patch_pc) + ", " +
                                          std::to_string(cover.size) + " there");
    }
    const std::span<const uint8_t> bytes = request.code.subspan(here);
    const std::optional<Decoded> decoded = decode_full(bytes, request.pc + here);
    const bool padding = here >= function_end || !flows;
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(request.pc + here) + ": " +
                                           hex_bytes(bytes.first(std::min<size_t>(8, bytes.size()))));
    }
    if (padding && !is_padding(*decoded, bytes)) {
      return fail(Code::kAttachShort, std::to_string(need) + " bytes needed at " + hex(cover.patch_pc) +
                                          ", the code ends after " + std::to_string(cover.size));
    }
    if (!padding) {
      const uint32_t before = cover.size;
      cover.size += decoded->insn.length;
      TRY(check_covered(cover, need, decoded->insn, request.pc + here));
      cover.starts.push_back(static_cast<uint8_t>(before));
      flows = !ends_flow(decoded->insn.kind);
    } else {
      cover.starts.push_back(static_cast<uint8_t>(cover.size));
      cover.size += decoded->insn.length;
    }
    if (cover.size > kLongestCover) {
      return fail(Code::kInternal, "more bytes covered than an instruction can have");
    }
  }
  if (request.room != 0 && at + cover.size > request.room) {
    return fail(Code::kAttachShort, std::to_string(cover.size) + " bytes needed at " + hex(cover.patch_pc) + ", " +
                                        std::to_string(request.room - at) + " before the next symbol");
  }
  cover.falls_out = flows;
  TRY(check_inner_branches(request, cover));
  return cover;
}

namespace {

constexpr size_t kBlock = 256;

// Whether any of the kBlock displacements that begin at `bytes`, one at each byte, is d with
// d + base + its place in [0, size), modulo 2^32. Without a branch inside, and with signed compares,
// compilers make vector code of it. Reads kBlock + 3 bytes.
bool any_leads_into(const uint8_t* bytes, uint32_t base, uint32_t size) {
  constexpr uint32_t kSign = 1u << 31;
  const auto limit = static_cast<int32_t>(size ^ kSign);
  int32_t any = 0;
  for (uint32_t lane = 0; lane < 4; ++lane) {
    const uint8_t* lane_bytes = bytes + lane;
    for (uint32_t i = 0; i < kBlock / 4; ++i) {
      uint32_t relative = 0;
      std::memcpy(&relative, lane_bytes + size_t{4} * i, 4);
      any |= static_cast<int32_t>((relative + base + lane + 4 * i) ^ kSign) < limit ? -1 : 0;
    }
  }
  return any != 0;
}

} // namespace

// A displacement's last byte is the branch's last, so the target follows from the four bytes alone.
// They are looked at before the opcode: with a narrow range hardly any leads there.
std::vector<LongBranch> find_branches_into(std::span<const uint8_t> text, uint64_t pc, uint64_t low,
                                           uint64_t high) {
  std::vector<LongBranch> list;
  low = std::max(low, pc);
  high = std::min(high, pc + text.size());
  if (low >= high || text.size() > UINT32_MAX) {
    return list;
  }
  const uint8_t* bytes = text.data();
  const auto first = static_cast<uint32_t>(low - pc - 4), size = static_cast<uint32_t>(high - low);
  for (size_t at = 1; at + 4 <= text.size(); ++at) {
    while (at % kBlock == 1 && at + kBlock + 3 <= text.size() &&
           !any_leads_into(bytes + at, static_cast<uint32_t>(at) - first, size)) {
      at += kBlock;
    }
    if (at + 4 > text.size()) {
      break;
    }
    uint32_t relative = 0;
    std::memcpy(&relative, bytes + at, 4);
    if (static_cast<uint32_t>(at) + relative - first >= size) {
      continue;
    }
    const bool one = (bytes[at - 1] & 0xfe) == 0xe8; // call, jmp
    const bool two = at >= 2 && bytes[at - 2] == 0x0f && (bytes[at - 1] & 0xf0) == 0x80; // jcc
    const uint64_t target = pc + at + 4 + static_cast<uint64_t>(int64_t{static_cast<int32_t>(relative)});
    if ((one || two) && target >= low && target < high) {
      list.push_back({target, pc + at - (two ? 2 : 1)});
    }
  }
  return list;
}

std::vector<LongBranch> find_long_branches(std::span<const uint8_t> text, uint64_t pc) {
  return find_branches_into(text, pc, 0, UINT64_MAX);
}

Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch) {
  if (!reachable(from + kJumpSize, to)) {
    return fail(Code::kAttachReach, hex(to) + " is out of reach of a jump at " + hex(from));
  }
  Emitter emit(from);
  emit.jump(to);
  return emit.take();
}

Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t to) {
  const int64_t distance = static_cast<int64_t>(to - (from + 2));
  if (distance < INT8_MIN || distance > INT8_MAX) {
    return fail(Code::kAttachReach, hex(to) + " is out of reach of a short jump at " + hex(from));
  }
  return std::vector<uint8_t>{0xeb, static_cast<uint8_t>(distance)};
}

std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from) {
  const std::optional<Insn> insn = decode(bytes, from);
  return insn && insn->kind == InsnClass::jump ? std::optional<uint64_t>(insn->target) : std::nullopt;
}

uint32_t padding(std::span<const uint8_t> bytes) {
  const std::optional<Decoded> decoded = decode_full(bytes, 0);
  return decoded && is_padding(*decoded, bytes) ? decoded->insn.length : 0;
}

namespace {

// Jumps, branches, calls: their displacement is rewritten, short forms become long ones.
Status move_direct(Emitter& emit, const Decoded& decoded, uint64_t next) {
  const uint64_t target = decoded.insn.target;
  const uint8_t op = decoded.opcode;
  if (decoded.operand_size && !decoded.rex_w) {
    return fail(Code::kAttachMove, "a branch with an operand size prefix means different things to different processors");
  }
  switch (decoded.insn.kind) {
  case InsnClass::jump: emit.jump_anywhere(target); return {};
  case InsnClass::call:
    emit.push_address(next);
    emit.jump_anywhere(target);
    return {};
  default: break;
  }
  if (decoded.map == 0 && op == 0xc7) {
    return fail(Code::kAttachMove, "a transaction begins there (xbegin)");
  }
  if (decoded.map == 0 && op >= 0xe0 && op <= 0xe3) {
    if (decoded.address_size) {
      emit.u8(0x67);
    }
    emit.bytes({op, 2});            // loop/jrcxz +2
    emit.bytes({0xeb, 5});          // jmp over the next
    emit.jump_fixed(target);        // 5 bytes, or declined
    return emit.in_reach() ? Status{} : fail(Code::kAttachReach, "the target of a moved loop is out of reach");
  }
  emit.branch_anywhere(op & 0x0f, target);
  return {};
}

// Through a register or memory: as it is, calls leave the address they would have left.
Status move_indirect_call(Emitter& emit, const Decoded& decoded, std::span<const uint8_t> bytes,
                          uint64_t next) {
  const uint8_t rm = decoded.modrm & 7;
  const bool memory = (decoded.modrm >> 6) != 3;
  const bool on_stack = decoded.has_sib && (decoded.sib & 7) == 4 && !decoded.rex_b;
  const bool stack_register = !memory && rm == 4 && !decoded.rex_b;
  if (((decoded.modrm >> 3) & 7) != 2 || (memory && on_stack) || stack_register) {
    return fail(Code::kAttachMove, "an indirect call through the stack pointer cannot be moved");
  }
  emit.push_address(next);
  std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  copy[decoded.modrm_offset] = static_cast<uint8_t>((decoded.modrm & 0xc7) | (4 << 3)); // jmp
  const uint64_t pc = emit.pc();
  emit.append(copy);
  if (decoded.insn.pc_relative) {
    emit.patch32_relative(emit.size() - copy.size() + decoded.disp_offset, decoded.insn.target,
                          pc + copy.size());
  }
  return emit.in_reach() ? Status{} : fail(Code::kAttachReach, "the operand at " + hex(decoded.insn.target) + " is out of reach of the moved code");
}

Status move_one(Emitter& emit, const Decoded& decoded, std::span<const uint8_t> bytes,
                uint64_t next) {
  switch (decoded.insn.kind) {
  case InsnClass::jump: case InsnClass::branch: case InsnClass::call:
    return move_direct(emit, decoded, next);
  case InsnClass::indirect_call: return move_indirect_call(emit, decoded, bytes, next);
  case InsnClass::breakpoint: case InsnClass::trap: case InsnClass::nop:
  case InsnClass::landing_pad: case InsnClass::indirect_jump: case InsnClass::ret:
  case InsnClass::syscall: case InsnClass::other: break;
  }
  if (decoded.insn.pc_relative && decoded.address_size) {
    return fail(Code::kAttachMove, "an address relative to the lower half of the instruction pointer");
  }
  const uint64_t pc = emit.pc();
  emit.append(bytes);
  if (decoded.insn.pc_relative) {
    emit.patch32_relative(emit.size() - bytes.size() + decoded.disp_offset, decoded.insn.target,
                          pc + bytes.size());
    if (!emit.in_reach()) {
      return fail(Code::kAttachReach, "the operand at " + hex(decoded.insn.target) + " is out of reach of the moved code");
    }
  }
  return {};
}

} // namespace

Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch) {
  Emitter emit(to);
  MovedCode moved;
  for (size_t at = 0; at < covered.size();) {
    const std::optional<Decoded> decoded = decode_full(covered.subspan(at), from + at);
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(from + at));
    }
    const size_t length = decoded->insn.length;
    moved.map.push_back({static_cast<uint8_t>(at), static_cast<uint32_t>(emit.size())});
    TRY(move_one(emit, *decoded, covered.subspan(at, length), from + at + length));
    at += length;
  }
  moved.bytes = emit.take();
  return moved;
}

} // namespace bpfaot::targets::x86_64
