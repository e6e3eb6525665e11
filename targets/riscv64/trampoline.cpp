// SPDX-License-Identifier: MIT
//
// The code that a patched site jumps to. In order, each part only when it is needed:
//
//   sweep         an unwinder begins here: put true return addresses back (targets/support_link.h)
//   entry part    save what the programs clobber, fill the slots of pt_regs that they read, call
//                 them one after the other, restore
//   push          put the return address on the thread's shadow stack
//   mark, call    call what follows, which returns to the
//   return point  take the return address back, run the return programs, return
//   moved code    the instructions the jump replaced, then a jump behind them
//   constants
//
// Calls go through instead of return addresses being swapped: `jal ra` and `ret` are what the
// processor's return prediction pairs.
//
// Registers: programs follow the C calling convention and use integer registers only; what they may
// change (ProbeCall::clobbers) is saved. gp and tp are never written. There are no flags and there is
// no red zone, so a frame at a function's entry serves anywhere. Upwards from sp:
//     8  site pointer = ctx[-1]    16  pt_regs, 256 bytes    272  saved registers
// Of a patched site's temporaries the one that the jump passed through holds an address of ours.
#include "targets/riscv64/patch.h"

#include "bpfaot/abi.h"
#include "targets/arena.h"
#include "targets/riscv64/emit.h"
#include "targets/riscv64/support_arch.h"

#include <algorithm>
#include <cstddef>

namespace bpfaot::targets::riscv64 {
namespace {

constexpr int32_t kContext = 16;
constexpr int32_t kSaved = kContext + 256;

constexpr RegMask bit(unsigned reg) { return RegMask{1} << reg; }

// ra, t0 to t6, a0 to a7: what a C function may change. DWARF numbers are the registers' own.
constexpr RegMask kCallClobbers = 0xf003fce2;

enum class Place { entry, return_point };

// The frame around a group of program calls.
class Frame {
public:
  Frame(Emitter& emit, Place place, const std::vector<ProbeCall>& calls, uint64_t ip)
      : emit_(emit), place_(place), calls_(calls), ip_(ip) {
    RegMask clobbers = bit(ra) | bit(t0) | bit(a0);
    if (place == Place::return_point) {
      clobbers |= kLookup; // the shadow stack is looked up with them
    }
    for (const ProbeCall& call : calls) {
      reads_ |= call.ctx_reads;
      clobbers |= static_cast<RegMask>(call.clobbers) & kCallClobbers;
    }
    for (uint8_t reg = ra; reg <= t6; ++reg) {
      if ((clobbers >> reg & 1) != 0) {
        save_.push_back(static_cast<Reg>(reg));
      }
    }
    size_ = (kSaved + static_cast<int32_t>(save_.size()) * 8 + 15) & ~15;
  }

  int32_t size() const { return size_; }
  int32_t home(Reg reg) const {
    return kSaved + 8 * static_cast<int32_t>(std::find(save_.begin(), save_.end(), reg) - save_.begin());
  }

  void open() {
    emit_.addi(sp, sp, -size_);
    for (const Reg reg : save_) {
      emit_.sd(reg, sp, home(reg));
    }
  }

  // Behind this nothing runs up to close() when the loader is gone.
  void skip_when_disarmed(uint64_t armed) {
    if (armed == 0) {
      return;
    }
    static_assert(BPFAOT_DISARMED == 1u << 30);
    Label goes_on;
    emit_.address(t0, armed);
    emit_.lwu(t0, t0, 0);
    emit_.slli(t0, t0, 33);
    emit_.branch(kGreaterEqual, t0, zero, goes_on);
    emit_.jump(close_);
    emit_.bind(goes_on);
  }

  // At return points ra is the true return address.
  void fill() {
    for (int slot = 0; slot < 32; ++slot) {
      if ((reads_ >> slot & 1) == 0) {
        continue;
      }
      Reg from = static_cast<Reg>(slot);
      const bool spoiled = slot == t0 || (place_ == Place::return_point && (kLookup >> slot & 1) != 0);
      if (slot == 0 && place_ == Place::return_point) {
        from = ra;
      } else if (slot == 0) {
        emit_.li(from = t0, ip_);
      } else if (slot == sp) {
        emit_.addi(from = t0, sp, size_);
      } else if (spoiled) {
        emit_.ld(t0, sp, home(from));
        from = t0;
      }
      emit_.sd(from, sp, kContext + slot * 8);
    }
  }

  void call_programs() {
    for (const ProbeCall& call : calls_) {
      if (call.needs_site) {
        emit_.address(t0, call.site);
        emit_.sd(t0, sp, kContext - 8);
      }
      emit_.addi(a0, sp, kContext);
      emit_.call_anywhere(call.entry);
    }
  }

  void close() {
    emit_.bind(close_);
    for (const Reg reg : save_) {
      emit_.ld(reg, sp, home(reg));
    }
    emit_.addi(sp, sp, size_);
  }

private:
  static constexpr RegMask kLookup = bit(t0) | bit(t1) | bit(t2);

  Emitter& emit_;
  Place place_;
  const std::vector<ProbeCall>& calls_;
  uint64_t ip_;
  std::vector<Reg> save_;
  uint64_t reads_ = 0;
  int32_t size_ = 0;
  Label close_;
};

constexpr int32_t kDepth = offsetof(bpfaot_thread, depth);
constexpr int32_t kFrames = offsetof(bpfaot_thread, frames);
static_assert(offsetof(bpfaot_thread, key) == 0 && sizeof(bpfaot_frame) == 16 && sizeof(bpfaot_thread) == 1 << 14);

// t1 = the thread's slot, t0 changed; jumps when the first candidate is another thread's. A thread
// pointer of 0 may match a free slot: its sentinel (targets/shadow_stack.h) is 0 and leads to the slow
// path.
void find_thread(Emitter& emit, const TrampolineRequest& request, Label& slow) {
  emit.srli(t1, tp, 6);
  emit.constant(t0, 0x9e3779b97f4a7c15ull);
  emit.mul(t1, t1, t0);
  emit.srli(t1, t1, 64 - static_cast<int32_t>(request.thread_capacity_log2));
  emit.slli(t1, t1, 14);
  emit.constant(t0, request.thread_base);
  emit.add(t1, t1, t0);
  emit.ld(t0, t1, 0);
  emit.branch(kNotEqual, t0, tp, slow);
}

// t0 = address of frame [depth], less the offset of the frames.
void find_top(Emitter& emit) {
  emit.lwu(t0, t1, kDepth);
  emit.slli(t0, t0, 4);
  emit.add(t0, t0, t1);
}

constexpr int32_t kPushFrame = 48;

void leave_push(Emitter& emit) {
  emit.ld(t0, sp, 0);
  emit.ld(t1, sp, 8);
  emit.ld(t2, sp, 16);
  emit.ld(t3, sp, 24);
  emit.addi(sp, sp, kPushFrame);
}

// The frame's mark is sp and a tag, which depends on the return point's address. Its constant's index.
size_t push_frame(Emitter& emit, const TrampolineRequest& request, Label& unprobed) {
  Label slow, pushed, over;
  emit.addi(sp, sp, -kPushFrame);
  emit.sd(t0, sp, 0);
  emit.sd(t1, sp, 8);
  emit.sd(t2, sp, 16);
  emit.sd(t3, sp, 24);
  emit.sd(ra, sp, 32);
  emit.addi(t0, sp, kPushFrame);
  const size_t tag = emit.constant(t3, 0);
  emit.add(t3, t3, t0); // the mark
  find_thread(emit, request, slow);
  emit.lwu(t2, t1, kDepth);
  emit.addi(t0, zero, BPFAOT_FRAMES);
  emit.branch(kAboveEqual, t2, t0, slow);
  find_top(emit);
  emit.ld(t0, t0, kFrames - 8); // frames[depth - 1].sp
  emit.slli(t0, t0, 16);
  emit.slli(t2, t3, 16);
  emit.branch(kAboveEqual, t2, t0, slow);
  emit.addi(t2, zero, 1);
  emit.addi(t0, t1, kDepth);
  emit.amoadd_w(t0, t2, t0);
  emit.slli(t0, t0, 4);
  emit.add(t0, t0, t1);
  emit.sd(ra, t0, kFrames);
  emit.sd(t3, t0, kFrames + 8);
  emit.bind(pushed);
  leave_push(emit);
  emit.jump(over);
  emit.bind(slow);
  emit.mv(t0, t3);
  emit.mv(t1, ra);
  emit.call_anywhere(request.support.push_slow);
  emit.ld(ra, sp, 32);
  emit.branch(kNotEqual, t0, zero, pushed);
  leave_push(emit);
  emit.jump(unprobed);
  emit.bind(over);
  return tag;
}

// ra = the true return address, which close() loads too.
size_t pop_frame(Emitter& emit, const TrampolineRequest& request, const Frame& frame) {
  Label slow, popped, fast;
  emit.addi(t0, sp, frame.size());
  const size_t tag = emit.constant(t2, 0);
  emit.add(t2, t2, t0); // the mark
  find_thread(emit, request, slow);
  find_top(emit);
  emit.ld(ra, t0, kFrames - 8);
  emit.branch(kEqual, ra, t2, fast);
  emit.bind(slow);
  emit.mv(t0, t2);
  emit.call_anywhere(request.support.pop_slow);
  emit.mv(ra, t0);
  emit.jump(popped);
  emit.bind(fast);
  emit.ld(ra, t0, kFrames - 16);
  emit.sd(zero, t0, kFrames - 8);
  emit.lwu(t2, t1, kDepth);
  emit.addiw(t2, t2, -1);
  emit.sw(t2, t1, kDepth);
  emit.bind(popped);
  emit.sd(ra, sp, frame.home(ra));
  return tag;
}

constexpr int32_t kSweepFrame = 128;
constexpr Reg kKept[SUPPORT_KEPT_REGISTERS] = {ra, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11};

void sweep(Emitter& emit, const TrampolineRequest& request) {
  emit.addi(sp, sp, -kSweepFrame);
  for (int i = 0; i < SUPPORT_KEPT_REGISTERS; ++i) {
    emit.sd(kKept[i], sp, i * 8);
  }
  emit.sd(t0, sp, 104);
  emit.sd(t1, sp, 112);
  emit.addi(t0, sp, kSweepFrame);
  emit.mv(t1, sp);
  emit.call_anywhere(request.support.sweep);
  emit.ld(t0, sp, 104);
  emit.ld(t1, sp, 112);
  for (int i = 0; i < SUPPORT_KEPT_REGISTERS; ++i) {
    emit.ld(kKept[i], sp, i * 8);
  }
  emit.addi(sp, sp, kSweepFrame);
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
  const size_t push_tag = push_frame(emit, request, moved);
  emit.word(SUPPORT_RETURN_MARK);
  emit.jump(moved, ra);
  static_assert(SUPPORT_RETURN_MARK_AT == 8);
  const uint64_t return_point = emit.pc();
  Frame frame(emit, Place::return_point, request.at_return, 0);
  frame.open();
  const size_t pop_tag = pop_frame(emit, request, frame);
  frame.skip_when_disarmed(request.armed);
  frame.fill();
  frame.call_programs();
  frame.close();
  emit.jalr(zero, ra, 0);
  const uint64_t tag = return_point >> 2 << 48;
  emit.set_constant(push_tag, tag);
  emit.set_constant(pop_tag, tag);
  return return_point;
}

} // namespace

Result<Trampoline> make_trampoline(const TrampolineRequest& request) {
  Emitter emit(request.pc);
  Trampoline out;
  Label moved_label;
  if (request.sweeps) {
    sweep(emit, request);
  }
  run_programs(emit, request);
  if (!request.at_return.empty()) {
    out.return_point = call_through(emit, request, moved_label);
  }
  emit.bind(moved_label);
  const uint32_t moved_at = emit.size();
  const Scratch scratch = request.cover.scratch;
  const MovedCode moved = TRY(move(request.original, request.cover.patch_pc, emit.pc(), scratch));
  emit.append(moved.bytes);
  if (request.cover.falls_out) {
    emit.jump_anywhere(request.cover.patch_pc + request.cover.size, static_cast<Reg>(scratch.out));
  }
  emit.ebreak();
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

// struct user_regs_struct: pc, then x1 to x31
constexpr uint32_t kRegsetSize = 32 * 8;

void prepare_syscall(std::span<uint8_t> regs, uint64_t insn, uint64_t number, std::span<const uint64_t> args) {
  const auto put = [&](uint32_t reg, uint64_t value) { std::memcpy(&regs[reg * 8], &value, 8); };
  put(0, insn);
  put(a7, number);
  for (uint32_t i = 0; i < 6; ++i) {
    put(a0 + i, i < args.size() ? args[i] : 0);
  }
}

constexpr uint8_t kSyscallInsn[] = {0x73, 0x00, 0x00, 0x00};    // ecall
constexpr uint32_t kMoreRegsets[] = {2, 0x901}; // NT_PRFPREG, NT_RISCV_VECTOR
constexpr uint8_t kBreakpointInsn[] = {0x02, 0x90};             // c.ebreak: no function is shorter

} // namespace

const Patcher kPatcher = {
    .name = "riscv64",
    .e_machine = 243,
    .jump_size = 8,
    .reach = 0x7fff0000,
    .short_jump_size = 4,
    .short_reach = 0xff000,
    .code_align = 16,
    .registers = {kRegsetSize, 0, sp * 8, a0 * 8, s1 * 8, ra * 8, 176, 160},
    .links_in_register = true,
    .irelative_relocation = 58,
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

} // namespace bpfaot::targets::riscv64
