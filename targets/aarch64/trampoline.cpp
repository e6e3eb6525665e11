// SPDX-License-Identifier: MIT
//
// The code that a patched site jumps to. In order, each part only when it is needed:
//
//   plain link    behind a kept paciasp: make the return address in x30 plain again
//   sweep         an unwinder begins here: put true return addresses back (targets/support_link.h)
//   entry part    save what the programs clobber, fill the slots of pt_regs that they read, call
//                 them one after the other, restore
//   push          put the return address on the thread's shadow stack
//   tag, mark, call  call what follows, which returns to the
//   return point  take the return address back, run the return programs, return
//   sign          behind a kept paciasp: sign what x30 is now, as the function expects
//   moved code    the instruction the jump replaced, then a jump behind it
//
// Calls go through instead of return addresses being swapped: the call and return instructions
// stay paired, so the processor's return predictions hold, and a function that signs its return
// address signs ours and checks it.
//
// An unwinder's guard has to know whether a return point found on the stack is signed. Signatures have
// so few bits that one in 128 is zero; where processors sign there are several return points, and
// the first one is taken whose signatures with the current stack pointer are none and different.
//
// Registers: programs follow the C calling convention and use no vector registers; what they may
// change (ProbeCall::clobbers) is saved, x16, x17 and the condition flags always. There is no red
// zone. The frame, upwards from sp:
//     0  condition flags       8  site pointer = ctx[-1]
//    16  pt_regs, 272 bytes  288  saved registers
#include "targets/aarch64/patch.h"

#include "bpfaot/abi.h"
#include "targets/arena.h"
#include "targets/aarch64/emit.h"
#include "targets/aarch64/support_arch.h"

#include <algorithm>
#include <cstddef>

namespace bpfaot::targets::aarch64 {
namespace {

constexpr uint32_t kFlags = 0;
constexpr uint32_t kContext = 16;
constexpr uint32_t kContextSize = 272;
constexpr uint32_t kSaved = kContext + kContextSize;
constexpr uint32_t kSlotSp = 31, kSlotPc = 32, kSlotState = 33, kSlots = 34;

// x0 to x18 and x30: what a C function may change, in DWARF numbers too.
constexpr uint64_t kCallClobbers = 0x4007ffff;

constexpr uint32_t kDisarmedBit = 30;
static_assert(BPFAOT_DISARMED == 1u << kDisarmedBit);

enum class Place { entry, return_point };

// The mark of a frame holds bits of the return point's address, which is not known yet when the
// first of these instructions are written.
struct Tag {
  std::vector<uint32_t> uses;
  void use(Emitter& emit, Reg reg) { // movk reg, #tag, lsl #48
    uses.push_back(emit.size());
    emit.word(0xf2e00000 | reg);
  }
  void use_mark(Emitter& emit) {
    uses.push_back(emit.size());
    emit.word(SUPPORT_RETURN_TAG);
  }
};

// The frame around a group of program calls.
class Frame {
public:
  Frame(Emitter& emit, Place place, const std::vector<ProbeCall>& calls, uint64_t ip)
      : emit_(emit), place_(place), calls_(calls), ip_(ip) {
    uint64_t clobbers = 1u << x0 | 1u << x16 | 1u << x17 | 1u << x30;
    if (place == Place::return_point) {
      clobbers |= 1u << x9 | 1u << x10; // the shadow stack is looked up with them
    }
    for (const ProbeCall& call : calls) {
      reads_ |= call.ctx_reads;
      clobbers |= call.clobbers & kCallClobbers;
    }
    for (Reg reg = 0; reg <= x30; ++reg) {
      if ((clobbers >> reg & 1) != 0) {
        save_.push_back(reg);
      }
    }
    size_ = (kSaved + static_cast<uint32_t>(save_.size()) * 8 + 15) & ~15u;
  }

  uint32_t size() const { return size_; }
  uint32_t home(Reg reg) const {
    return kSaved + 8 * static_cast<uint32_t>(std::find(save_.begin(), save_.end(), reg) - save_.begin());
  }

  void open() {
    emit_.sub_imm(sp, sp, size_);
    for (size_t i = 0; i < save_.size(); i += 2) {
      const uint32_t at = kSaved + 8 * static_cast<uint32_t>(i);
      if (i + 1 < save_.size()) {
        emit_.store_pair(save_[i], save_[i + 1], sp, at);
      } else {
        emit_.store(save_[i], sp, at);
      }
    }
    emit_.read_flags(x16);
    emit_.store(x16, sp, kFlags);
  }

  // Behind this nothing runs up to close() when the loader is gone.
  void skip_when_disarmed(uint64_t armed) {
    if (armed != 0) {
      emit_.load_word(x16, armed);
      emit_.branch_if_bit(x16, kDisarmedBit, close_);
    }
  }

  // Of the registers only x16 has changed; at return points x30 is the true return address.
  void fill() {
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      if ((reads_ >> slot & 1) == 0) {
        continue;
      }
      Reg from = slot;
      if (slot == kSlotPc && place_ == Place::return_point) {
        from = x30;
      } else if (slot >= kSlotSp || slot == x16 || is_spoiled(slot)) {
        from = x16;
        load_slot(slot);
      }
      emit_.store(from, sp, kContext + slot * 8);
    }
  }

  void call_programs() {
    for (const ProbeCall& call : calls_) {
      if (call.needs_site) {
        emit_.move_imm(x16, call.site);
        emit_.store(x16, sp, kContext - 8);
      }
      emit_.add_imm(x0, sp, kContext);
      emit_.call_anywhere(call.entry, x16);
    }
  }

  void close() {
    emit_.bind(close_);
    emit_.load(x16, sp, kFlags);
    emit_.write_flags(x16);
    for (size_t i = 0; i < save_.size(); i += 2) {
      const uint32_t at = kSaved + 8 * static_cast<uint32_t>(i);
      if (i + 1 < save_.size()) {
        emit_.load_pair(save_[i], save_[i + 1], sp, at);
      } else {
        emit_.load(save_[i], sp, at);
      }
    }
    emit_.add_imm(sp, sp, size_);
  }

private:
  bool is_spoiled(uint32_t slot) const {
    return place_ == Place::return_point && (slot == x9 || slot == x10 || slot == x17);
  }
  void load_slot(uint32_t slot) { // into x16
    switch (slot) {
    case kSlotSp: emit_.add_imm(x16, sp, size_); break;
    case kSlotPc: emit_.move_imm(x16, ip_); break;
    case kSlotState: emit_.load(x16, sp, kFlags); break;
    default: emit_.load(x16, sp, home(slot)); break;
    }
  }

  Emitter& emit_;
  Place place_;
  const std::vector<ProbeCall>& calls_;
  uint64_t ip_;
  std::vector<Reg> save_;
  uint64_t reads_ = 0;
  uint32_t size_ = 0;
  Label close_;
};

constexpr uint32_t kDepth = offsetof(bpfaot_thread, depth);
constexpr uint32_t kFrames = offsetof(bpfaot_thread, frames);
static_assert(offsetof(bpfaot_thread, key) == 0 && kFrames == 64 && sizeof(bpfaot_frame) == 16 &&
              sizeof(bpfaot_thread) == 1 << 14);

// x17 = the thread's slot; jumps when the first candidate is another thread's. Changes x16, x9 and
// the flags. A thread pointer of 0 may match a free slot: its sentinel (targets/shadow_stack.h) is 0
// and leads to the slow path.
void find_thread(Emitter& emit, const TrampolineRequest& request, Label& slow) {
  emit.word(0xd53bd050); // mrs x16, tpidr_el0
  emit.word(0xd346fe11); // lsr x17, x16, #6
  emit.move_imm(x9, 0x9e3779b97f4a7c15ull);
  emit.word(0x9b097e31); // mul x17, x17, x9
  emit.word(0xd340fe31 | (64 - request.thread_capacity_log2) << 16); // lsr x17, x17, #
  emit.move_imm(x9, request.thread_base);
  emit.word(0x8b113931); // add x17, x9, x17, lsl #14
  emit.load(x9, x17, 0);
  emit.word(0xeb10013f); // cmp x9, x16
  emit.branch(not_equal, slow);
}

// x16 = address of frame [depth], less the offset of the frames; x9 = depth
void find_top(Emitter& emit) {
  emit.word(0xb9400a29); // ldr w9, [x17, #8]
  emit.word(0x8b091230); // add x16, x17, x9, lsl #4
}

constexpr uint32_t kPushFrame = 64;
constexpr uint32_t kReturnPoints = 4;

// As it was before, x30 set to what is in the frame.
void leave_push(Emitter& emit) {
  emit.load(x9, sp, 48);
  emit.write_flags(x9);
  emit.load_pair(x11, x30, sp, 32);
  emit.load_pair(x9, x10, sp, 16);
  emit.load_pair(x16, x17, sp, 0);
  emit.add_imm(sp, sp, kPushFrame);
}

// Ends with a frame pushed, in the state of leave_push before it; or at `unprobed`, everything as it was.
struct Push {
  Label slow, pushed;
  Tag tag;
};

void push_frame(Emitter& emit, const TrampolineRequest& request, Push& push) {
  Label retry;
  emit.sub_imm(sp, sp, kPushFrame);
  emit.store_pair(x16, x17, sp, 0);
  emit.store_pair(x9, x10, sp, 16);
  emit.store_pair(x11, x30, sp, 32);
  emit.read_flags(x9);
  emit.store(x9, sp, 48);
  emit.add_imm(x10, sp, kPushFrame);
  push.tag.use(emit, x10);
  find_thread(emit, request, push.slow);
  find_top(emit);
  emit.word(0x7100013f | BPFAOT_FRAMES << 10); // cmp w9, #frames
  emit.branch(higher_same, push.slow);
  emit.load(x16, x16, kFrames - 8); // frames[depth - 1].sp
  emit.word(0xd370be10);            // lsl x16, x16, #16
  emit.word(0xeb0a421f);            // cmp x16, x10, lsl #16
  emit.branch(lower_same, push.slow);
  emit.add_imm(x16, x17, kDepth);
  emit.bind(retry);
  emit.word(0x885f7e09); // ldxr w9, [x16]
  emit.word(0x1100052b); // add w11, w9, #1
  emit.word(0x881e7e0b); // stxr w30, w11, [x16]
  emit.branch_not_zero(x30, retry, false);
  emit.word(0x8b091231); // add x17, x17, x9, lsl #4
  emit.load(x30, sp, 40);
  emit.store_pair(x30, x10, x17, kFrames);
  emit.bind(push.pushed);
}

void push_slow(Emitter& emit, const TrampolineRequest& request, Push& push, Label& unprobed) {
  emit.bind(push.slow);
  emit.move(x16, x10);
  emit.move(x17, x30);
  emit.call_anywhere(request.support.push_slow, x9);
  emit.branch_not_zero(x16, push.pushed);
  leave_push(emit);
  emit.jump(unprobed);
}

// Goes to `other` when a signature of the return point with the caller's stack pointer is none, or
// when the keys sign alike.
void check_signatures(Emitter& emit, Label& return_point, Label& other) {
  emit.address(x9, return_point);
  emit.add_imm(x16, sp, kPushFrame);
  emit.move(x17, x9);
  emit.word(0xd503211f); // pacia1716
  emit.move(x11, x17);
  emit.word(0xeb09023f); // cmp x17, x9
  emit.branch(equal, other);
  emit.move(x17, x9);
  emit.word(0xd503215f); // pacib1716
  emit.word(0xeb09023f); // cmp x17, x9
  emit.branch(equal, other);
  emit.word(0xeb0b023f); // cmp x17, x11
  emit.branch(equal, other);
}

void call_moved(Emitter& emit, Push& push, Label& moved) {
  leave_push(emit);
  push.tag.use_mark(emit);
  emit.word(SUPPORT_RETURN_MARK);
  emit.call(moved);
  static_assert(SUPPORT_RETURN_MARK_AT == 8);
}

// x30 = the true return address, which goes back into x30 at the end.
void pop_frame(Emitter& emit, const TrampolineRequest& request, Tag& tag, const Frame& frame) {
  Label slow, popped, fast;
  emit.add_imm(x10, sp, frame.size());
  tag.use(emit, x10);
  find_thread(emit, request, slow);
  find_top(emit);
  emit.load(x30, x16, kFrames - 8);
  emit.word(0xeb0a03df); // cmp x30, x10
  emit.branch(equal, fast);
  emit.bind(slow);
  emit.move(x16, x10);
  emit.call_anywhere(request.support.pop_slow, x9);
  emit.move(x30, x16);
  emit.jump(popped);
  emit.bind(fast);
  emit.load(x30, x16, kFrames - 16);
  emit.store(xzr, x16, kFrames - 8);
  emit.word(0x51000529); // sub w9, w9, #1
  emit.word(0xb9000a29); // str w9, [x17, #8]
  emit.bind(popped);
  emit.store(x30, sp, frame.home(x30));
}

constexpr uint32_t kSweepFrame = 128;

void sweep(Emitter& emit, const TrampolineRequest& request) {
  emit.sub_imm(sp, sp, kSweepFrame);
  for (Reg reg = 19; reg < 31; reg += 2) {
    emit.store_pair(reg, reg + 1, sp, (reg - 19) * 8);
  }
  emit.store_pair(x16, x17, sp, 96);
  emit.read_flags(x16);
  emit.store(x16, sp, 112);
  emit.add_imm(x16, sp, kSweepFrame);
  emit.add_imm(x17, sp, 0);
  emit.call_anywhere(request.support.sweep, x30);
  emit.load(x16, sp, 112);
  emit.write_flags(x16);
  emit.load_pair(x16, x17, sp, 96);
  for (Reg reg = 19; reg < 31; reg += 2) {
    emit.load_pair(reg, reg + 1, sp, (reg - 19) * 8);
  }
  emit.add_imm(sp, sp, kSweepFrame);
}

bool reads_link(const std::vector<ProbeCall>& calls) {
  return std::any_of(calls.begin(), calls.end(), [](const ProbeCall& call) { return (call.ctx_reads >> x30 & 1) != 0; });
}

void run_programs(Emitter& emit, const TrampolineRequest& request) {
  if (request.at_entry.empty()) {
    return;
  }
  Frame frame(emit, Place::entry, request.at_entry, request.probe_pc);
  frame.open();
  frame.skip_when_disarmed(request.armed);
  frame.fill();
  frame.call_programs();
  frame.close();
}

// The address of the return point.
uint64_t call_through(Emitter& emit, const TrampolineRequest& request, Label& moved) {
  Push push;
  Label return_points[kReturnPoints], others[kReturnPoints];
  push_frame(emit, request, push);
  if (request.signs_returns) {
    check_signatures(emit, return_points[0], others[0]);
  }
  call_moved(emit, push, moved);
  emit.bind(return_points[0]);
  const uint64_t return_point = emit.pc();
  Frame frame(emit, Place::return_point, request.at_return, 0);
  frame.open();
  pop_frame(emit, request, push.tag, frame);
  frame.skip_when_disarmed(request.armed);
  frame.fill();
  frame.call_programs();
  frame.close();
  emit.word(0xd65f03c0); // ret
  push_slow(emit, request, push, moved);
  for (uint32_t i = 1; request.signs_returns && i < kReturnPoints; ++i) {
    emit.bind(others[i - 1]);
    if (i + 1 < kReturnPoints) {
      check_signatures(emit, return_points[i], others[i]);
    }
    call_moved(emit, push, moved);
    emit.bind(return_points[i]);
    emit.jump(return_points[0]);
  }
  for (const uint32_t at : push.tag.uses) {
    emit.set_half(at, return_point >> 2 | 0x8000); // never 0, so that a mark is no address
  }
  return return_point;
}

} // namespace

Result<Trampoline> make_trampoline(const TrampolineRequest& request) {
  Emitter emit(request.pc);
  Trampoline out;
  Label moved_label;
  const bool returns = !request.at_return.empty();
  const bool resigns = request.cover.signing != kUnsigned &&
                       (returns || request.sweeps || reads_link(request.at_entry));
  const bool with_a = request.cover.signing == kSignedA;
  if (resigns) {
    emit.word(with_a ? 0xd50323bf : 0xd50323ff); // autiasp, autibsp
  }
  if (request.sweeps) {
    sweep(emit, request);
  }
  run_programs(emit, request);
  if (returns) {
    out.return_point = call_through(emit, request, moved_label);
  }
  emit.bind(moved_label);
  if (resigns) {
    emit.word(with_a ? 0xd503233f : 0xd503237f); // paciasp, pacibsp
  }
  const uint32_t moved_at = emit.size();
  const MovedCode moved = TRY(move(request.original, request.cover.patch_pc, emit.pc()));
  emit.append(moved.bytes);
  if (request.cover.falls_out) {
    emit.jump(request.cover.patch_pc + request.cover.size);
  }
  emit.word(0xd4200000); // brk
  if (!emit.in_reach()) {
    return fail(Code::kAttachReach, "the trampoline is out of reach of the code it belongs to");
  }
  for (const MovedInsn& insn : moved.map) {
    out.moved.push_back({insn.from, insn.to + moved_at});
  }
  out.bytes = emit.take();
  return out;
}

namespace {

constexpr uint32_t kRegsetSize = 34 * 8; // struct user_pt_regs
constexpr uint32_t kRegsetSp = 31 * 8, kRegsetPc = 32 * 8, kRegsetState = 33 * 8, kRegsetCursor = 19 * 8;
constexpr uint64_t kBranchType = 0xc00; // pstate: the thread has just branched indirectly

void prepare_syscall(std::span<uint8_t> regs, uint64_t insn, uint64_t number, std::span<const uint64_t> args) {
  const auto put = [&](uint32_t at, uint64_t value) { std::memcpy(&regs[at], &value, 8); };
  for (uint32_t i = 0; i < 6; ++i) {
    put(i * 8, i < args.size() ? args[i] : 0);
  }
  put(8 * 8, number);
  put(kRegsetPc, insn);
  uint64_t state = 0;
  std::memcpy(&state, &regs[kRegsetState], 8);
  put(kRegsetState, state & ~kBranchType);
}

constexpr uint8_t kSyscallInsn[] = {0x01, 0x00, 0x00, 0xd4};    // svc #0
constexpr uint32_t kMoreRegsets[] = {2, 0x405}; // NT_PRFPREG, NT_ARM_SVE
constexpr uint8_t kBreakpointInsn[] = {0x00, 0x00, 0x20, 0xd4}; // brk #0

} // namespace

const Patcher kPatcher = {
    .name = "aarch64",
    .e_machine = 183,
    .jump_size = 4,
    .reach = 0x07ff0000,
    .short_jump_size = 0,
    .short_reach = 0,
    .code_align = 16,
    .registers = {kRegsetSize, kRegsetPc, kRegsetSp, 0, kRegsetCursor, x30 * 8, 416, 424},
    .links_in_register = true,
    .irelative_relocation = 1032,
    .decode = decode,
    .cover = cover,
    .padding = padding,
    .find_long_branches = find_long_branches,
    .move = move,
    .encode_jump = encode_jump,
    .jump_target = jump_target,
    .encode_short_jump = encode_short_jump,
    .make_trampoline = make_trampoline,
    .support = support,
    .facts = facts,
    .prepare_syscall = prepare_syscall,
    .make_remote_stub = make_remote_stub,
    .stub_may_be_missing = true,
    .more_regsets = kMoreRegsets,
    .syscall_insn = kSyscallInsn,
    .breakpoint_insn = kBreakpointInsn,
    .breakpoint_pc_bias = 0,
};

} // namespace bpfaot::targets::aarch64
