// SPDX-License-Identifier: MIT
//
// Which bytes a jump may replace on riscv64, and how the instructions there run elsewhere.
//
// A site is `auipc tX; jalr tX`, 8 bytes that reach 2 GiB, or `jal` (4 bytes, 1 MiB) to such a pair
// in a gap near by. Either needs a temporary register that is free there, and so does the way back
// behind the covered bytes; liveness.cpp finds them. Whole instructions are covered, none of which
// but the first may be reached from anywhere but the one before it, and none of which may leave its
// address behind, but the last. Sequences between lr and sc are left alone: the architecture promises
// progress only to what stands together.
#include "targets/riscv64/patch.h"

#include "support/hex.h"
#include "targets/riscv64/emit.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace bpfaot::targets::riscv64 {
namespace {

constexpr uint32_t kLongJump = 8;
constexpr uint32_t kShortJump = 4;
constexpr uint64_t kLongestReservation = 128; // bytes from lr to sc that are looked at

bool is_call(InsnClass kind) { return kind == InsnClass::call || kind == InsnClass::indirect_call; }

bool is_padding(const Decoded& decoded) { return decoded.insn.kind == InsnClass::nop; }

Status check_covered(const SiteCover& cover, uint32_t need, const Decoded& decoded, uint64_t pc) {
  if (decoded.insn.kind == InsnClass::breakpoint) {
    return fail(Code::kAttachBreakpoint, "a breakpoint is at " + hex(pc) + ": something else has patched this code");
  }
  if (is_call(decoded.insn.kind) && cover.size < need) {
    return fail(Code::kAttachBranch, "a call at " + hex(pc) + " would return into the " + std::to_string(need) +
                                         " bytes needed at " + hex(cover.patch_pc));
  }
  return {};
}

// The function from its first byte: direct branches into the covered bytes, and reservations across
// them.
Status check_function(const SiteRequest& request, const SiteCover& cover) {
  const uint64_t low = cover.patch_pc, high = cover.patch_pc + cover.size;
  bool indirect = false;
  uint64_t reserved = 0; // pc of the last lr; 0 = none
  for (uint64_t at = 0; at < request.function_size;) {
    const uint64_t pc = request.pc + at;
    const std::span<const uint8_t> bytes = request.code.subspan(at, request.function_size - at);
    const std::optional<Decoded> decoded = decode_full(bytes, pc);
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the function at " + hex(pc) + ": " +
                                           hex_bytes(bytes.first(std::min<size_t>(8, bytes.size()))));
    }
    const Insn& insn = decoded->insn;
    if (insn.has_target && insn.target > low && insn.target < high) {
      return fail(Code::kAttachBranch, std::to_string(cover.size) + " bytes needed at " + hex(low) + ", branch target at +" +
                                           std::to_string(insn.target - low) + " (from " + hex(pc) + ")");
    }
    if (decoded->op == Op::load_reserved) {
      reserved = pc;
    }
    const bool conditional = decoded->op == Op::store_conditional;
    if (reserved != 0 && pc < high && pc + insn.length > low) {
      return fail(Code::kAttachMove, hex(low) + " is between a load-reserved and its store-conditional");
    }
    if (conditional || pc - reserved > kLongestReservation) {
      reserved = 0;
    }
    indirect |= insn.kind == InsnClass::indirect_jump;
    at += insn.length;
  }
  // A jump table of a function never leads into its prologue; elsewhere it may.
  if (indirect && !cover.at_entry && cover.starts.size() > 1) {
    return fail(Code::kAttachBranch, "the function jumps through a table that may lead behind " + hex(low) + ", where " +
                                         std::to_string(cover.starts.size()) + " instructions would be replaced");
  }
  return {};
}

// Whole instructions until `need` bytes are free, as far as the function and its padding go.
Status take_instructions(const SiteRequest& request, uint32_t need, SiteCover& cover) {
  const uint64_t at = cover.patch_pc - request.pc;
  const uint64_t size = request.code.size();
  const uint64_t end = request.function_size != 0 ? request.function_size : size;
  const uint64_t room = request.room != 0 ? std::min(request.room, size) : size;
  bool flows = true;
  while (cover.size < need) {
    const uint64_t here = at + cover.size;
    const auto too_short = [&](const std::string& why) {
      return fail(Code::kAttachShort, std::to_string(need) + " bytes needed at " + hex(cover.patch_pc) + ", " + why);
    };
    if (here >= room) {
      return too_short(std::to_string(cover.size) + " there");
    }
    const std::span<const uint8_t> bytes = request.code.subspan(here);
    const std::optional<Decoded> decoded = decode_full(bytes, request.pc + here);
    const bool behind = here >= end || !flows;
    if (behind && (!decoded || !is_padding(*decoded))) {
      return too_short("the code ends after " + std::to_string(cover.size));
    }
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(request.pc + here) + ": " +
                                           hex_bytes(bytes.first(std::min<size_t>(8, bytes.size()))));
    }
    if (here + decoded->insn.length > room) {
      return too_short(std::to_string(room - at) + " before the next symbol");
    }
    cover.starts.push_back(static_cast<uint8_t>(cover.size));
    cover.size += decoded->insn.length;
    if (!behind) {
      TRY(check_covered(cover, need, *decoded, request.pc + here));
      flows = !ends_flow(decoded->insn.kind);
    }
  }
  cover.falls_out = flows;
  return {};
}

// What the way in and all ways out may clobber. Behind a landing pad only t2 may be jumped through
// without one at the other end (Zicfilp, "software guarded branch").
Status choose_registers(const SiteRequest& request, bool guarded, SiteCover& cover) {
  const Liveness liveness(request);
  const bool entry = cover.at_entry && request.function_size != 0;
  constexpr RegMask kAll = ~RegMask{0};
  RegMask in = liveness.free_at(cover.patch_pc, entry ? kAll : 0);
  RegMask written = 0, out = kAll;
  const uint64_t at = cover.patch_pc - request.pc;
  for (const uint8_t start : cover.starts) {
    const std::optional<Decoded> decoded = decode_full(request.code.subspan(at + start), cover.patch_pc + start);
    written |= decoded ? decoded->writes : 0;
  }
  const RegMask fresh = entry ? ~written : 0;
  const auto leads_to = [&](uint64_t pc) { out &= liveness.free_at(pc, fresh); };
  for (const uint8_t start : cover.starts) {
    const uint64_t pc = cover.patch_pc + start;
    const std::optional<Decoded> decoded = decode_full(request.code.subspan(at + start), pc);
    if (!decoded) {
      continue;
    }
    if (is_call(decoded->insn.kind)) { // what a callee finds in temporaries is nothing, but see there
      const bool millicode = decoded->rd == t0 && (decoded->op == Op::jal || decoded->rs1 == t0);
      out &= decoded->rd == ra ? liveness.free_outside(kAll) : millicode ? RegMask{1} << t1 : 0;
    } else if (decoded->insn.has_target) {
      leads_to(decoded->insn.target);
    }
  }
  const Insn last = decode(request.code.subspan(at + cover.starts.back()), 0).value_or(Insn{});
  if (cover.falls_out && !is_call(last.kind)) {
    leads_to(cover.patch_pc + cover.size);
  }
  if (guarded) {
    in &= RegMask{1} << t2;
    out &= RegMask{1} << t2;
  }
  if (in == 0 || out == 0) {
    return fail(Code::kAttachRegister, std::string("no temporary register is free ") +
                                           (in == 0 ? "at " : "behind the instructions at ") + hex(cover.patch_pc));
  }
  cover.scratch = {static_cast<uint8_t>(std::countr_zero(in)), static_cast<uint8_t>(std::countr_zero(out))};
  return {};
}

} // namespace

Result<SiteCover> cover(const SiteRequest& request) {
  const uint64_t size = request.code.size();
  if (request.at < request.pc || request.at - request.pc >= size || request.function_size > size) {
    return fail(Code::kAttachDecode, "no code at " + hex(request.at));
  }
  SiteCover cover;
  cover.at_entry = request.at == request.pc;
  uint64_t at = request.at - request.pc;
  // The probe address must be an instruction of the function.
  for (uint64_t walk = 0; walk < at && request.function_size != 0;) {
    const std::optional<Insn> insn = decode(request.code.subspan(walk), request.pc + walk);
    walk += insn ? insn->length : 2;
    if (walk > at) {
      return fail(Code::kAttachDecode, hex(request.at) + " is inside the instruction at " +
                                           hex(request.pc + walk - (insn ? insn->length : 2)));
    }
  }
  const std::optional<Insn> first = decode(request.code.subspan(at), request.at);
  const bool guarded = first && first->kind == InsnClass::landing_pad;
  if (guarded) {
    at += first->length;
  }
  cover.patch_pc = request.pc + at;
  TRY(take_instructions(request, request.need != 0 ? request.need : kLongJump, cover));
  TRY(check_function(request, cover));
  TRY(choose_registers(request, guarded, cover));
  return cover;
}

// The jumps of one instruction at every offset where one may begin, and the pairs that assemblers
// make of `call`, `tail` and `jump`.
std::vector<LongBranch> find_long_branches(std::span<const uint8_t> text, uint64_t pc) {
  std::vector<LongBranch> list;
  const auto add = [&](uint64_t target, size_t from, bool certain) {
    if (target - pc < text.size()) {
      list.push_back({target, pc + from, certain});
    }
  };
  for (size_t i = 0; i + 2 <= text.size(); i += 2) {
    const std::optional<Decoded> decoded = decode_full(text.subspan(i), pc + i);
    if (!decoded) {
      continue;
    }
    if (decoded->insn.has_target) {
      add(decoded->insn.target, i, false);
    } else if (decoded->op == Op::auipc && decoded->rd != zero) {
      const std::optional<Decoded> next = decode_full(text.subspan(i + 4), pc + i + 4);
      if (next && next->op == Op::jalr && next->insn.length == 4 && next->rs1 == decoded->rd) {
        add(decoded->insn.target + static_cast<uint64_t>(next->imm), i, true);
      }
    }
  }
  return list;
}

Result<std::vector<uint8_t>> encode_jump(uint64_t from, uint64_t to, Scratch scratch) {
  if (scratch.in == zero || !Emitter::near(static_cast<int64_t>(to - from))) {
    return fail(Code::kAttachReach, hex(to) + " is out of reach of a jump at " + hex(from));
  }
  Emitter emit(from);
  emit.long_jump(zero, to, static_cast<Reg>(scratch.in));
  return emit.take();
}

Result<std::vector<uint8_t>> encode_short_jump(uint64_t from, uint64_t to) {
  Emitter emit(from);
  emit.jump_and_link(zero, to, zero);
  if (!emit.in_reach()) {
    return fail(Code::kAttachReach, hex(to) + " is out of reach of a short jump at " + hex(from));
  }
  return emit.take();
}

std::optional<uint64_t> jump_target(std::span<const uint8_t> bytes, uint64_t from) {
  const std::optional<Decoded> first = decode_full(bytes, from);
  if (!first || first->op != Op::auipc) {
    return first && first->insn.kind == InsnClass::jump ? std::optional<uint64_t>(first->insn.target) : std::nullopt;
  }
  const std::optional<Decoded> second = decode_full(bytes.subspan(first->insn.length), from + first->insn.length);
  if (!second || second->op != Op::jalr || second->rs1 != first->rd) {
    return std::nullopt;
  }
  return first->insn.target + static_cast<uint64_t>(second->imm);
}

uint32_t padding(std::span<const uint8_t> bytes) {
  const std::optional<Decoded> decoded = decode_full(bytes, 0);
  return decoded && is_padding(*decoded) ? decoded->insn.length : 0;
}

namespace {

// The register must hold the address behind the original call; the callee is reached without
// leaving another one.
void move_call(Emitter& emit, const Decoded& decoded, uint64_t next, Reg scratch) {
  const Reg link = static_cast<Reg>(decoded.rd);
  if (decoded.op == Op::jal) {
    emit.address(link, next);
    emit.jump_anywhere(decoded.insn.target, scratch);
    return;
  }
  Reg through = static_cast<Reg>(decoded.rs1);
  int32_t disp = static_cast<int32_t>(decoded.imm);
  if (through == link) {
    emit.addi(scratch, through, disp);
    through = scratch;
    disp = 0;
  }
  emit.address(link, next);
  emit.jalr(zero, through, disp);
}

// The opposite branch over a jump.
void move_branch(Emitter& emit, const Decoded& decoded, Reg scratch) {
  const uint32_t at = emit.size();
  emit.branch_over(decoded.condition ^ 1, decoded.rs1, decoded.rs2, 0);
  emit.jump_anywhere(decoded.insn.target, scratch);
  emit.patch_branch(at, static_cast<int32_t>(emit.size() - at));
}

} // namespace

Result<MovedCode> move(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch scratch) {
  Emitter emit(to);
  MovedCode moved;
  const Reg back = static_cast<Reg>(scratch.out);
  for (size_t at = 0; at < covered.size();) {
    const std::optional<Decoded> decoded = decode_full(covered.subspan(at), from + at);
    if (!decoded) {
      return fail(Code::kAttachDecode, "cannot decode the instruction at " + hex(from + at));
    }
    const size_t length = decoded->insn.length;
    moved.map.push_back({static_cast<uint8_t>(at), emit.size()});
    switch (decoded->op) {
    case Op::jal:
    case Op::jalr:
      if (decoded->rd != zero) {
        const bool needs_scratch = decoded->op == Op::jal || decoded->rs1 == decoded->rd;
        if (back == zero && needs_scratch) {
          return fail(Code::kAttachRegister, "no register is free for the call at " + hex(from + at));
        }
        move_call(emit, *decoded, from + at + length, back);
      } else if (decoded->op == Op::jal) {
        emit.jump_anywhere(decoded->insn.target, back);
      } else {
        emit.append(covered.subspan(at, length));
      }
      break;
    case Op::branch: move_branch(emit, *decoded, back); break;
    case Op::auipc:
      if (decoded->rd != zero) {
        emit.address(static_cast<Reg>(decoded->rd), decoded->insn.target);
        break;
      }
      [[fallthrough]];
    case Op::plain: case Op::load_reserved: case Op::store_conditional:
      emit.append(covered.subspan(at, length));
      break;
    }
    at += length;
  }
  if (!emit.in_reach()) {
    return fail(Code::kAttachReach, "a jump at " + hex(from) + " is out of reach of the moved code");
  }
  moved.bytes = emit.take();
  return moved;
}

} // namespace bpfaot::targets::riscv64
