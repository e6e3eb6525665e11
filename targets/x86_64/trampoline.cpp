// SPDX-License-Identifier: MIT
//
// The code that a patched site jumps to. In order, each part only when it is needed:
//
//   entry part    save what the programs clobber, fill the slots of pt_regs that they read, call
//                 them one after the other, restore
//   push          put the return address on the thread's shadow stack, remove it from the stack
//   moved code    the instructions the jump replaced, then a jump behind them
//   return point  the probed function returns here: take the return address back, run the return
//                 programs, return
//
// Calls go through instead of return addresses being swapped: the call and return instructions
// stay paired, so the processor's return predictions hold, and stack arguments keep their place.
//
// Flags are kept with lahf/seto, which cost nothing, at function entries and return points; there
// the direction flag is clear by convention. At other addresses all flags are pushed, and the 128
// bytes below the stack pointer belong to the function.
//
// Registers: programs are compiled to change rax, r11 and flags only (ProbeCall::clobbers says so);
// rdi carries their argument. The frame, upwards from rsp:
//     0  flags (lahf form)          8  site pointer = ctx[-1]
//    16  pt_regs, 168 bytes       184  saved registers, the return address on top
#include "targets/x86_64/patch.h"

#include "bpfaot/abi.h"
#include "targets/arena.h"
#include "targets/x86_64/emit.h"

#include <algorithm>
#include <cstddef>

namespace bpfaot::targets::x86_64 {
namespace {

constexpr int32_t kFlags = 0;
constexpr int32_t kContext = 16;
constexpr int32_t kContextSize = 168;
constexpr int32_t kSaved = kContext + kContextSize;

constexpr uint8_t kBelow = 2, kNotEqual = 5, kBelowEqual = 6, kAboveEqual = 3;

// Slots of pt_regs in order; those that are no register have kNone.
constexpr int kNone = -1;
constexpr int kSlotRegister[21] = {r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax,
                                   rcx, rdx, rsi, rdi, kNone, kNone, kNone, kNone, kNone, kNone};
enum Slot { kSlotOrigAx = 15, kSlotIp = 16, kSlotCs = 17, kSlotFlags = 18, kSlotSp = 19, kSlotSs = 20 };

constexpr Reg kDwarf[16] = {rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15};

// Which registers a group of programs may change, as a list to save.
std::vector<Reg> to_save(const std::vector<ProbeCall>& calls) {
  uint64_t clobbers = 1u << 0 | 1u << 5 | 1u << 11; // rax, rdi, r11
  for (const ProbeCall& call : calls) {
    clobbers |= call.clobbers;
  }
  std::vector<Reg> list;
  for (int i = 0; i < 16; ++i) {
    if ((clobbers >> i & 1) != 0 && kDwarf[i] != rsp) {
      list.push_back(kDwarf[i]);
    }
  }
  return list;
}

enum class Place { entry, middle, return_point };

// The frame around a group of program calls.
class Frame {
public:
  Frame(Emitter& emit, Place place, const std::vector<ProbeCall>& calls, uint64_t ip)
      : emit_(emit), place_(place), calls_(calls), ip_(ip), save_(to_save(calls)) {
    for (const ProbeCall& call : calls) {
      reads_ |= call.ctx_reads;
    }
    if (place == Place::return_point && std::find(save_.begin(), save_.end(), rcx) == save_.end()) {
      save_.push_back(rcx); // the shadow stack is looked up with it
    }
    size_ = kSaved + static_cast<int32_t>(save_.size()) * 8;
    // entry: the stack pointer is 8 mod 16; return point: the last word takes the return address
    // and lies where the call had left it; middle: aligned by hand, with room for the old pointer.
    size_ += place == Place::entry ? 0 : 8;
    const int32_t want = place == Place::entry ? 8 : 0;
    while (size_ % 16 != want) {
      size_ += 8;
    }
  }

  int32_t size() const { return size_; }

  void open() {
    if (place_ == Place::middle) {
      emit_.lea(rsp, rsp, -128);
      emit_.u8(0x50);              // push %rax
      emit_.u8(0x9c);              // pushfq
      emit_.u8(0xfc);              // cld
      emit_.lea(rax, rsp, 128 + 16);
      emit_.bytes({0x48, 0x83, 0xe4, 0xf0}); // and $-16, %rsp
      emit_.lea(rsp, rsp, -size_);
      emit_.store(rsp, size_ - 8, rax);
      emit_.load(rax, rax, -(128 + 8));
    } else {
      emit_.lea(rsp, rsp, -size_);
    }
    for (size_t i = 0; i < save_.size(); ++i) {
      emit_.store(rsp, saved(i), save_[i]);
    }
    if (place_ != Place::middle) {
      save_flags(emit_, kFlags);
    }
  }

  // Behind this nothing runs up to close() when the loader is gone; flags are saved by now.
  void skip_when_disarmed(uint64_t armed) {
    if (armed != 0) {
      emit_.test_byte(armed + 3, BPFAOT_DISARMED >> 24);
      emit_.branch(kNotEqual, close_);
    }
  }

  void fill() {
    for (int slot = 0; slot < 21; ++slot) {
      if ((reads_ >> slot & 1) != 0) {
        fill_slot(slot);
      }
    }
  }

  void call_programs() {
    for (const ProbeCall& call : calls_) {
      if (call.needs_site) {
        emit_.address(rax, call.site);
        emit_.store(rsp, kContext - 8, rax);
      }
      emit_.lea(rdi, rsp, kContext);
      emit_.call_anywhere(call.entry);
    }
  }

  // Everything but the stack pointer at return points, whose caller does that itself.
  void close() {
    emit_.bind(close_);
    if (place_ != Place::middle) {
      restore_flags(emit_, kFlags);
    }
    for (size_t i = 0; i < save_.size(); ++i) {
      if (save_[i] != rax || place_ != Place::middle) {
        emit_.load(save_[i], rsp, saved(i));
      }
    }
    if (place_ == Place::entry) {
      emit_.lea(rsp, rsp, size_);
    } else if (place_ == Place::middle) {
      emit_.load(rax, rsp, size_ - 8);
      emit_.lea(rsp, rax, -(128 + 16));
      emit_.u8(0x9d); // popfq
      emit_.u8(0x58); // pop %rax
      emit_.lea(rsp, rsp, 128);
    }
  }

  static void save_flags(Emitter& emit, int32_t at) {
    emit.u8(0x9f);                 // lahf
    emit.bytes({0x0f, 0x90, 0xc0}); // seto %al
    emit.store(rsp, at, rax);
  }
  static void restore_flags(Emitter& emit, int32_t at) {
    emit.load(rax, rsp, at);
    emit.bytes({0x04, 0x7f}); // add $0x7f, %al: overflows when it was 1
    emit.u8(0x9e);            // sahf
  }

private:
  int32_t saved(size_t index) const { return kSaved + static_cast<int32_t>(index) * 8; }

  void fill_slot(int slot) {
    const int32_t at = kContext + slot * 8;
    const int reg = kSlotRegister[slot];
    if (reg != kNone) {
      const auto found = std::find(save_.begin(), save_.end(), static_cast<Reg>(reg));
      // Those changed by now are taken from where they were saved.
      if ((reg == rax || reg == rcx || reg == r11) && found != save_.end()) {
        emit_.load(rax, rsp, saved(static_cast<size_t>(found - save_.begin())));
        emit_.store(rsp, at, rax);
      } else {
        emit_.store(rsp, at, static_cast<Reg>(reg));
      }
      return;
    }
    switch (slot) {
    case kSlotOrigAx: emit_.store_imm32(rsp, at, -1); break;
    case kSlotCs: emit_.store_imm32(rsp, at, 0x33); break;
    case kSlotSs: emit_.store_imm32(rsp, at, 0x2b); break;
    case kSlotIp: fill_ip(at); break;
    case kSlotSp: fill_sp(at); break;
    case kSlotFlags: fill_flags(at); break;
    default: break;
    }
  }
  void fill_ip(int32_t at) {
    if (place_ == Place::return_point) {
      emit_.load(rax, rsp, size_ - 8);
    } else {
      emit_.move_imm(rax, ip_);
    }
    emit_.store(rsp, at, rax);
  }
  void fill_sp(int32_t at) {
    if (place_ == Place::middle) {
      emit_.load(rax, rsp, size_ - 8);
    } else {
      emit_.lea(rax, rsp, size_);
    }
    emit_.store(rsp, at, rax);
  }
  // The condition flags as saved; the others as they are (the programs' caller has not changed
  // them).
  void fill_flags(int32_t at) {
    if (place_ == Place::middle) {
      emit_.load(rax, rsp, size_ - 8);
      emit_.load(rax, rax, -(128 + 16));
      emit_.store(rsp, at, rax);
      return;
    }
    restore_flags(emit_, kFlags);
    emit_.u8(0x9c); // pushfq
    emit_.u8(0x58); // pop %rax
    emit_.store(rsp, at, rax);
  }

  Emitter& emit_;
  Place place_;
  const std::vector<ProbeCall>& calls_;
  uint64_t ip_;
  std::vector<Reg> save_;
  uint64_t reads_ = 0;
  int32_t size_ = 0;
  Label close_;
};

// rax = thread pointer, rcx = its first candidate slot; jumps when that is another thread's. A
// thread pointer of 0 may match a free slot: its sentinel (see targets/shadow_stack.h) is 0 and leads to the
// slow path.
void find_thread(Emitter& emit, const TrampolineRequest& request, Label& slow) {
  if (!request.has_fast_thread_pointer) {
    emit.jump(slow);
    return;
  }
  emit.bytes({0xf3, 0x48, 0x0f, 0xae, 0xc0}); // rdfsbase %rax
  emit.bytes({0x48, 0x89, 0xc1});       // mov %rax, %rcx
  emit.bytes({0x48, 0xc1, 0xe9, 6});    // shr $6, %rcx
  emit.move_imm(r11, 0x9e3779b97f4a7c15ull);
  emit.bytes({0x49, 0x0f, 0xaf, 0xcb}); // imul %r11, %rcx
  emit.bytes({0x48, 0xc1, 0xe9, static_cast<uint8_t>(64 - request.thread_capacity_log2)}); // shr
  emit.bytes({0x48, 0xc1, 0xe1, 14});   // shl $14, %rcx: sizeof(struct bpfaot_thread)
  emit.move_imm(r11, request.thread_base);
  emit.bytes({0x4c, 0x01, 0xd9});       // add %r11, %rcx
  emit.bytes({0x48, 0x39, 0x01});       // cmp %rax, (%rcx)
  emit.branch(kNotEqual, slow);
}

constexpr int8_t kDepth = offsetof(bpfaot_thread, depth);
constexpr int8_t kFrames = offsetof(bpfaot_thread, frames);
static_assert(offsetof(bpfaot_thread, key) == 0 && kFrames == 64 && sizeof(bpfaot_frame) == 16);
static_assert(offsetof(bpfaot_thread, reserved) + 2 * 8 == kFrames - 8,
              "the word below frames[0].sp ends the comparison with the frame below");

// Registers and flags live below the stack pointer here: a signal leaves 128 bytes alone.
void push_frame(Emitter& emit, const TrampolineRequest& request, Label& unprobed) {
  Label slow, undo, pushed, restore;
  emit.store(rsp, -8, rax);
  emit.store(rsp, -16, rcx);
  emit.store(rsp, -24, r11);
  Frame::save_flags(emit, -32);
  find_thread(emit, request, slow);
  emit.memory(0x8b, rax, rcx, kDepth, false);              // mov depth, %eax
  emit.bytes({0x48, 0xc1, 0xe0, 4});                       // shl $4, %rax
  emit.bytes({0x48, 0x39, 0x64, 0x01, kFrames - 8});       // cmp %rsp, frames[depth - 1].sp
  emit.branch(kBelowEqual, slow);
  emit.move_imm(rax, 1);
  emit.bytes({0x0f, 0xc1, 0x41, kDepth});                  // xadd %eax, depth
  emit.bytes({0x3d});                                      // cmp $frames, %eax
  emit.u32(BPFAOT_FRAMES);
  emit.branch(kAboveEqual, undo);
  emit.bytes({0x48, 0xc1, 0xe0, 4});                       // shl $4, %rax
  emit.bytes({0x48, 0x01, 0xc8});                          // add %rcx, %rax
  emit.load(r11, rsp, 0);
  emit.store(rax, kFrames, r11);
  emit.store(rax, kFrames + 8, rsp);
  emit.bind(pushed);
  Frame::restore_flags(emit, -32);
  emit.load(r11, rsp, -24);
  emit.load(rcx, rsp, -16);
  emit.load(rax, rsp, -8);
  emit.lea(rsp, rsp, 8);
  Label over;
  emit.jump(over);
  emit.bind(undo);
  emit.bytes({0xff, 0x49, kDepth}); // decl depth
  emit.bind(slow);
  emit.bytes({0x48, 0x89, 0xe0}); // mov %rsp, %rax
  emit.lea(rsp, rsp, -48);
  emit.call_anywhere(request.support.push_slow);
  emit.lea(rsp, rsp, 48);
  emit.bytes({0x85, 0xc0}); // test %eax, %eax
  emit.branch(kNotEqual, pushed);
  Frame::restore_flags(emit, -32);
  emit.load(r11, rsp, -24);
  emit.load(rcx, rsp, -16);
  emit.load(rax, rsp, -8);
  emit.jump(unprobed);
  emit.bind(over);
}

// Takes the return address back and leaves it on top of the frame, where the call had put it.
void pop_frame(Emitter& emit, const TrampolineRequest& request, const Frame& frame) {
  const int32_t home = frame.size() - 8;
  Label slow, popped;
  find_thread(emit, request, slow);
  emit.memory(0x8b, rax, rcx, kDepth, false);        // mov depth, %eax
  emit.bytes({0x48, 0xc1, 0xe0, 4});                 // shl $4, %rax
  emit.bytes({0x48, 0x01, 0xc8});                    // add %rcx, %rax
  emit.lea(r11, rsp, home);
  emit.memory(0x39, r11, rax, kFrames - 8);          // cmp %r11, frames[depth - 1].sp
  emit.branch(kNotEqual, slow);
  emit.load(r11, rax, kFrames - 16);
  emit.store(rsp, home, r11);
  emit.store_imm32(rax, kFrames - 8, 0);
  emit.bytes({0xff, 0x49, kDepth});                  // decl depth
  Label over;
  emit.jump(over);
  emit.bind(slow);
  emit.lea(rax, rsp, home);
  emit.call_anywhere(request.support.pop_slow);
  emit.store(rsp, home, rax);
  emit.bind(over);
}

} // namespace

Result<Trampoline> make_trampoline(const TrampolineRequest& request) {
  Emitter emit(request.pc);
  Trampoline out;
  Label moved_label, return_label;
  if (request.sweeps) {
    static const std::vector<ProbeCall> none;
    Frame frame(emit, Place::entry, none, request.probe_pc);
    frame.open();
    emit.store(rsp, kContext, rcx);
    emit.lea(rax, rsp, frame.size());
    emit.call_anywhere(request.support.sweep);
    emit.load(rcx, rsp, kContext);
    frame.close();
  }
  if (!request.at_entry.empty()) {
    Frame frame(emit, request.cover.at_entry ? Place::entry : Place::middle, request.at_entry,
                request.probe_pc);
    frame.open();
    frame.skip_when_disarmed(request.armed);
    frame.fill();
    frame.call_programs();
    frame.close();
  }
  const bool returns = !request.at_return.empty();
  if (returns) {
    push_frame(emit, request, moved_label);
    emit.u8(0xe8); // call the moved code, which returns to the return point
    Label& target = moved_label;
    emit.reference(target);
    out.return_point = emit.pc();
    Frame frame(emit, Place::return_point, request.at_return, 0);
    frame.open();
    pop_frame(emit, request, frame);
    frame.skip_when_disarmed(request.armed);
    frame.fill();
    frame.call_programs();
    frame.close();
    emit.lea(rsp, rsp, frame.size() - 8);
    emit.u8(0xc3); // ret
  }
  emit.bind(moved_label);
  const uint32_t moved_at = emit.size();
  const MovedCode moved = TRY(move(request.original, request.cover.patch_pc, emit.pc()));
  emit.append(moved.bytes);
  if (request.cover.falls_out) {
    emit.jump_anywhere(request.cover.patch_pc + request.cover.size);
  }
  emit.u8(0xcc);
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

constexpr uint32_t kRegsetSize = 27 * 8; // struct user_regs_struct
constexpr uint32_t kRegsetBx = 5 * 8, kRegsetAx = 10 * 8, kRegsetOrigAx = 15 * 8, kRegsetIp = 16 * 8, kRegsetSp = 19 * 8;

void prepare_syscall(std::span<uint8_t> regs, uint64_t insn, uint64_t number,
                     std::span<const uint64_t> args) {
  constexpr uint32_t kArgs[6] = {14 * 8, 13 * 8, 12 * 8, 7 * 8, 9 * 8, 8 * 8}; // di si dx r10 r8 r9
  const auto put = [&](uint32_t at, uint64_t value) { std::memcpy(&regs[at], &value, 8); };
  put(kRegsetIp, insn);
  put(kRegsetAx, number);
  put(kRegsetOrigAx, ~0ull); // the kernel must not restart what the thread was in
  for (size_t i = 0; i < 6; ++i) {
    put(kArgs[i], i < args.size() ? args[i] : 0);
  }
}

constexpr uint8_t kSyscallInsn[] = {0x0f, 0x05};
constexpr uint8_t kBreakpointInsn[] = {0xcc};

} // namespace

const Patcher kPatcher = {
    .name = "x86_64",
    .e_machine = 62,
    .jump_size = 5,
    .reach = 0x7fff0000,
    .short_jump_size = 2,
    .short_reach = 120,
    .code_align = 16,
    .registers = {kRegsetSize, kRegsetIp, kRegsetSp, kRegsetAx, kRegsetBx, 0, 144, 152},
    .links_in_register = false,
    .irelative_relocation = 37,
    .decode = decode,
    .cover = cover,
    .padding = padding,
    .find_long_branches = find_long_branches,
    .find_branches_into = find_branches_into,
    .move = move,
    .encode_jump = encode_jump,
    .jump_target = jump_target,
    .encode_short_jump = encode_short_jump,
    .make_trampoline = make_trampoline,
    .support = support,
    .facts = facts,
    .prepare_syscall = prepare_syscall,
    .make_remote_stub = make_remote_stub,
    .syscall_insn = kSyscallInsn,
    .breakpoint_insn = kBreakpointInsn,
    .breakpoint_pc_bias = 1,
};

} // namespace bpfaot::targets::x86_64
