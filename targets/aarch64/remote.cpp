// SPDX-License-Identifier: MIT
//
// The stub that makes system calls in another process and finds back by itself; patch.h has the
// contract. No instruction of this machine puts back every register, so a thread that nobody takes
// back returns from a signal that never was: rt_sigreturn reads mask and registers, floating point
// and SVE included, from a frame that it only reads. Layout of the frame:
// arch/arm64/kernel/signal.c and uapi/asm/sigcontext.h of Linux.
//
// The frame lies apart, or behind the code; then code lies in those parts of it that the kernel does not
// read. A thread in an interrupted
// system call shows itself as rewound to the `svc`, which makes the call again.
#include "targets/aarch64/patch.h"

#include "targets/aarch64/emit.h"
#include "targets/arena.h"

#include <algorithm>
#include <cstddef>

namespace bpfaot::targets::aarch64 {
namespace {

// struct rt_sigframe, from its start. What is not named is not read.
constexpr uint32_t kStack = 144, kMask = 168, kUnused = 176, kRegisters = 312, kRecords = 592;
constexpr uint32_t kRegistersSize = 34 * 8; // x0 to x30, sp, pc, pstate: as ptrace has them
// Any mode that sigaltstack(2) does not know: the alternate stack stays what it is.
constexpr uint32_t kUnknownStackMode = 0x7f;
constexpr uint32_t kFpsimdMagic = 0x46508001, kSveMagic = 0x53564501;
constexpr uint32_t kFpsimdSize = 528;  // of the record
constexpr uint32_t kAllRecords = 4096; // that a frame holds without an extra block
// struct user_sve_header of ptrace: size, max_size, vl, max_vl, flags; then registers from 16 on.
constexpr uint32_t kSveHead = 16, kSveLength = 8, kSveFlags = 12;
constexpr uint16_t kSveRegisters = 1; // flag: SVE registers, not only their first 16 bytes

constexpr uint32_t kNrTgkill = 131, kNrRtSigprocmask = 135, kNrRtSigreturn = 139, kNrGetpid = 172, kNrGettid = 178;
constexpr Reg x1 = 1, x2 = 2, x3 = 3, x8 = 8, x19 = 19, x20 = 20;

// Words that the code reads: a single call's number and arguments, then these.
constexpr uint32_t kAllSignals = 7, kFrame = 8, kWords = 9;
static_assert(kUnused + 8 * kWords <= kRegisters);

template <class Value> void put(std::vector<uint8_t>& bytes, size_t at, Value value) {
  std::memcpy(&bytes[at], &value, sizeof value);
}
void put(std::vector<uint8_t>& bytes, size_t at, std::span<const uint8_t> value) {
  std::copy(value.begin(), value.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}

void system_call(Emitter& emit, uint32_t number) {
  emit.move_imm(x8, number);
  emit.word(0xd4000001); // svc #0
}

// Nothing when the thread uses no SVE, or more of it than a frame holds.
std::span<const uint8_t> sve_registers(std::span<const uint8_t> regset, uint16_t& length) {
  if (regset.size() < kSveHead) {
    return {};
  }
  uint16_t flags = 0;
  std::memcpy(&length, &regset[kSveLength], sizeof length);
  std::memcpy(&flags, &regset[kSveFlags], sizeof flags);
  const size_t size = size_t{length} * 32 + size_t{length} / 8 * 17; // z, p, ffr
  const size_t records = kFpsimdSize + kSveHead + (size + 15) / 16 * 16 + 16;
  const bool holds = (flags & kSveRegisters) != 0 && regset.size() >= kSveHead + size && records <= kAllRecords;
  return holds ? regset.subspan(kSveHead, size) : std::span<const uint8_t>{};
}

} // namespace

RemoteStub make_remote_stub(const RemoteStubRequest& request) {
  // Two passes: how long the code is does not depend on where the frame is, and its words.
  const bool is_apart = request.frame != 0;
  uint32_t frame = 0, words = 0;
  RemoteStub stub;
  for (int pass = 0; pass < 2; ++pass) {
    Emitter emit(request.pc);
    Label done, loop;
    const auto word_address = [&](uint32_t index) { return request.pc + words + 8 * index; };
    const auto load = [&](Reg reg, uint64_t address) { emit.branch(0x58000000 | reg, 5, 19, address); }; // ldr literal
    const auto address = [&](Reg reg, uint64_t to) { // adr
      const uint64_t distance = to - emit.pc();
      emit.word(0x10000000 | static_cast<uint32_t>(distance & 3) << 29 |
                static_cast<uint32_t>(distance >> 2 & 0x7ffff) << 5 | reg);
    };
    constexpr uint32_t kLandingPad = 0xd50324df; // bti jc: the thread may have been in an indirect branch

    stub.single = emit.size();
    emit.word(kLandingPad);
    load(x8, word_address(0));
    for (Reg i = 0; i < 6; ++i) {
      load(x0 + i, word_address(1 + i));
    }
    emit.word(0xd4000001); // svc #0
    emit.move(x19, x0);
    emit.jump(done);

    stub.batch = emit.size();
    emit.word(kLandingPad);
    emit.bind(loop);
    emit.load(x9, x19, offsetof(bpfaot_remote_call, more));
    Label go_on;
    emit.branch_not_zero(x9, go_on);
    emit.jump(done);
    emit.bind(go_on);
    emit.load(x9, x19, offsetof(bpfaot_remote_call, copy_from));
    emit.load(x9, x9, 0);
    emit.load(x10, x19, offsetof(bpfaot_remote_call, copy_to));
    emit.store(x9, x10, 0);
    emit.load(x8, x19, offsetof(bpfaot_remote_call, number));
    for (Reg i = 0; i < 6; ++i) {
      emit.load(x0 + i, x19, static_cast<uint32_t>(offsetof(bpfaot_remote_call, args)) + 8 * i);
    }
    emit.word(0xd4000001); // svc #0
    emit.store(x0, x19, offsetof(bpfaot_remote_call, result));
    emit.add_imm(x19, x19, sizeof(bpfaot_remote_call));
    emit.jump(loop);

    emit.bind(done);
    system_call(emit, kNrGetpid);
    emit.move(x20, x0);
    system_call(emit, kNrGettid);
    emit.move(x1, x0);
    emit.move(x0, x20);
    emit.move_imm(x2, request.signal);
    system_call(emit, kNrTgkill);
    stub.done = emit.size();

    // Nobody has taken the thread back. While the stack pointer is the frame's, no handler may run.
    emit.move_imm(x0, 2); // SIG_SETMASK
    address(x1, word_address(kAllSignals));
    emit.move_imm(x2, 0);
    emit.move_imm(x3, 8);
    system_call(emit, kNrRtSigprocmask);
    load(x9, word_address(kFrame));
    emit.add_imm(sp, x9, 0);
    system_call(emit, kNrRtSigreturn);

    frame = emit.size() > kStack ? (emit.size() - kStack + 15) / 16 * 16 : 0;
    words = is_apart ? (emit.size() + 7) / 8 * 8 : frame + kUnused;
    stub.bytes = emit.take();
  }
  stub.bytes.resize(words + 8 * kWords);
  stub.single_call = words;
  put(stub.bytes, words + 8 * kAllSignals, ~uint64_t{0});
  put(stub.bytes, words + 8 * kFrame, is_apart ? request.frame : request.pc + frame);

  uint16_t sve_length = 0;
  const auto more = [&](size_t i) { return i < request.more.size() ? std::span<const uint8_t>(request.more[i]) : std::span<const uint8_t>{}; };
  const std::span<const uint8_t> fpsimd = more(0), sve = sve_registers(more(1), sve_length);
  const uint32_t sve_size = sve.empty() ? 0 : static_cast<uint32_t>(kSveHead + (sve.size() + 15) / 16 * 16);
  std::vector<uint8_t>& bytes = is_apart ? stub.frame : stub.bytes;
  frame = is_apart ? 0 : frame;
  bytes.resize(frame + kRecords + kFpsimdSize + sve_size + 16);
  put(bytes, frame + kStack + 8, kUnknownStackMode);
  put(bytes, frame + kMask, request.signal_mask);
  put(bytes, frame + kRegisters, request.registers.first(std::min<size_t>(request.registers.size(), kRegistersSize)));
  uint32_t at = frame + kRecords;
  put(bytes, at, kFpsimdMagic);
  put(bytes, at + 4, kFpsimdSize);
  if (fpsimd.size() >= 520) { // v0 to v31, fpsr, fpcr; the record has the latter first
    put(bytes, at + 8, fpsimd.subspan(512, 8));
    put(bytes, at + 16, fpsimd.first(512));
  }
  at += kFpsimdSize;
  if (!sve.empty()) {
    put(bytes, at, kSveMagic);
    put(bytes, at + 4, sve_size);
    put(bytes, at + 8, sve_length);
    put(bytes, at + kSveHead, sve);
  }
  return stub;
}

} // namespace bpfaot::targets::aarch64
