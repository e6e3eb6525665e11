// SPDX-License-Identifier: MIT
//
// The stub that makes system calls in another process and finds back by itself; patch.h has the
// contract. No instruction of this machine puts back every register, so a thread that nobody takes
// back returns from a signal that never was: rt_sigreturn reads mask and registers, floating point
// and vectors included, from a frame that it only reads. Layout of the frame:
// arch/riscv/kernel/signal.c and uapi/asm/{sigcontext,ptrace}.h of Linux.
//
// The frame lies apart, or behind the code; then code lies in those parts of it that the kernel does not
// read. A thread in an interrupted
// system call shows itself as rewound to the `ecall`, which makes the call again; where the call can
// only be restarted with what the kernel has noted (a7 is restart_syscall), it ends with EINTR, since
// rt_sigreturn forgets the note.
#include "targets/riscv64/patch.h"

#include "targets/arena.h"
#include "targets/riscv64/emit.h"

#include <algorithm>
#include <cstddef>

namespace bpfaot::targets::riscv64 {
namespace {

// struct rt_sigframe, from its start. What is not named is not read.
constexpr uint32_t kStack = 144, kMask = 168, kUnused = 176, kRegisters = 304, kFloats = 560;
constexpr uint32_t kExtensions = 1080; // headers of extensions, the last one all zeros
constexpr uint32_t kRegistersSize = 32 * 8; // pc, x1 to x31: as ptrace has them
constexpr uint32_t kFloatsSize = 33 * 8;    // f0 to f31, fcsr
// Any mode that sigaltstack(2) does not know: the alternate stack stays what it is.
constexpr uint32_t kUnknownStackMode = 0x7f;
constexpr uint32_t kVectorMagic = 0x53465457;
// ptrace's struct __riscv_v_regset_state: vstart, vl, vtype, vcsr, vlenb, then 32 registers. In a
// frame a pointer to the registers is between them.
constexpr uint32_t kVectorHead = 40, kVectorLength = 32;

constexpr uint32_t kNrTgkill = 131, kNrRtSigprocmask = 135, kNrRtSigreturn = 139, kNrGetpid = 172, kNrGettid = 178;

template <class Value> void put(std::vector<uint8_t>& bytes, size_t at, Value value) {
  std::memcpy(&bytes[at], &value, sizeof value);
}
void put(std::vector<uint8_t>& bytes, size_t at, std::span<const uint8_t> value) {
  std::copy(value.begin(), value.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}

void ecall(Emitter& emit) { emit.word(0x00000073); }
void system_call(Emitter& emit, uint32_t number) {
  emit.li(a7, number);
  ecall(emit);
}

// Words that the code reads: a single call's number and arguments, then these.
constexpr uint32_t kAllSignals = 7, kFrame = 8, kWords = 9;
static_assert(kUnused + 8 * kWords <= kRegisters);

constexpr Reg kArguments[6] = {a0, a1, a2, a3, a4, a5};

} // namespace

RemoteStub make_remote_stub(const RemoteStubRequest& request) {
  // Two passes: how long the code is does not depend on where the frame is, and its words.
  const bool is_apart = request.frame != 0;
  uint32_t frame = 0, words = 0;
  RemoteStub stub;
  for (int pass = 0; pass < 2; ++pass) {
    Emitter emit(request.pc);
    Label done, loop;
    // auipc and addi, always both
    const auto address = [&](Reg reg, uint32_t offset) {
      const int64_t distance = static_cast<int64_t>(request.pc + words + offset) - static_cast<int64_t>(emit.pc());
      emit.word(0x00000017 | uint32_t{reg} << 7); // auipc reg, 0: less than 2 KiB away
      emit.addi(reg, reg, static_cast<int32_t>(distance));
    };

    stub.single = emit.size();
    address(t0, 0);
    emit.ld(a7, t0, 0);
    for (int32_t i = 0; i < 6; ++i) {
      emit.ld(kArguments[i], t0, 8 + 8 * i);
    }
    ecall(emit);
    emit.mv(s1, a0);
    emit.jump(done);

    stub.batch = emit.size();
    emit.bind(loop);
    emit.ld(t0, s1, offsetof(bpfaot_remote_call, more));
    emit.branch(kEqual, t0, zero, done);
    emit.ld(t0, s1, offsetof(bpfaot_remote_call, copy_from));
    emit.ld(t0, t0, 0);
    emit.ld(t1, s1, offsetof(bpfaot_remote_call, copy_to));
    emit.sd(t0, t1, 0);
    emit.ld(a7, s1, offsetof(bpfaot_remote_call, number));
    for (int32_t i = 0; i < 6; ++i) {
      emit.ld(kArguments[i], s1, static_cast<int32_t>(offsetof(bpfaot_remote_call, args)) + 8 * i);
    }
    ecall(emit);
    emit.sd(a0, s1, offsetof(bpfaot_remote_call, result));
    emit.addi(s1, s1, sizeof(bpfaot_remote_call));
    emit.jump(loop);

    emit.bind(done);
    system_call(emit, kNrGetpid);
    emit.mv(s2, a0);
    system_call(emit, kNrGettid);
    emit.mv(a1, a0);
    emit.mv(a0, s2);
    emit.li(a2, request.signal);
    system_call(emit, kNrTgkill);
    stub.done = emit.size();

    // Nobody has taken the thread back. While the stack pointer is the frame's, no handler may run.
    emit.li(a0, 2); // SIG_SETMASK
    address(a1, 8 * kAllSignals);
    emit.li(a2, 0);
    emit.li(a3, 8);
    system_call(emit, kNrRtSigprocmask);
    emit.ld(sp, a1, 8 * (kFrame - kAllSignals));
    system_call(emit, kNrRtSigreturn);

    frame = emit.size() > kStack ? (emit.size() - kStack + 15) / 16 * 16 : 0;
    words = is_apart ? (emit.size() + 7) / 8 * 8 : frame + kUnused;
    stub.bytes = emit.take();
  }
  stub.bytes.resize(words + 8 * kWords);
  stub.single_call = words;
  put(stub.bytes, words + 8 * kAllSignals, ~uint64_t{0});
  put(stub.bytes, words + 8 * kFrame, is_apart ? request.frame : request.pc + frame);

  const auto more = [&](size_t i) { return i < request.more.size() ? std::span<const uint8_t>(request.more[i]) : std::span<const uint8_t>{}; };
  const std::span<const uint8_t> floats = more(0), vectors = more(1);
  uint64_t vector_length = 0;
  if (vectors.size() >= kVectorHead) {
    std::memcpy(&vector_length, &vectors[kVectorLength], sizeof vector_length);
  }
  const bool has_vectors = vector_length != 0 && vector_length <= 64 && vectors.size() == kVectorHead + 32 * vector_length;
  const uint32_t vector_size = has_vectors ? static_cast<uint32_t>(8 + 8 + vectors.size()) : 0; // the record, with its head
  std::vector<uint8_t>& bytes = is_apart ? stub.frame : stub.bytes;
  const uint64_t base = is_apart ? request.frame : request.pc;
  frame = is_apart ? 0 : frame;
  bytes.resize(frame + kExtensions + vector_size + 8);
  put(bytes, frame + kStack + 8, kUnknownStackMode);
  put(bytes, frame + kMask, request.signal_mask);
  put(bytes, frame + kRegisters, request.registers.first(std::min<size_t>(request.registers.size(), kRegistersSize)));
  put(bytes, frame + kFloats, floats.first(std::min<size_t>(floats.size(), kFloatsSize)));
  if (has_vectors) {
    const uint32_t at = frame + kExtensions;
    put(bytes, at, kVectorMagic);
    put(bytes, at + 4, vector_size);
    put(bytes, at + 8, vectors.first(kVectorHead));
    put(bytes, at + 8 + kVectorHead, base + at + 8 + kVectorHead + 8);
    put(bytes, at + 8 + kVectorHead + 8, vectors.subspan(kVectorHead));
  }
  return stub;
}

} // namespace bpfaot::targets::riscv64
