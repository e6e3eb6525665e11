// SPDX-License-Identifier: MIT
//
// The stub that makes system calls in another process and finds back by itself; patch.h has the
// contract. No instruction here changes flags (`syscall` gives them back from r11), and none uses the
// stack, so both are the thread's own all the time.
#include "targets/x86_64/patch.h"

#include "targets/arena.h"
#include "targets/x86_64/emit.h"

#include <cstddef>
#include <cstring>

namespace bpfaot::targets::x86_64 {
namespace {

// struct user_regs_struct, in words.
enum RegsetWord { kR15, kR14, kR13, kR12, kBp, kBx, kR11, kR10, kR9, kR8, kAx, kCx, kDx, kSi, kDi, kOrigAx, kIp };

struct Home {
  Reg reg;
  RegsetWord word;
};
constexpr Home kHomes[] = {{r15, kR15}, {r14, kR14}, {r13, kR13}, {r12, kR12}, {rbp, kBp}, {rbx, kBx}, {r11, kR11},
                           {r10, kR10}, {r9, kR9},   {r8, kR8},   {rax, kAx},  {rcx, kCx}, {rdx, kDx}, {rsi, kSi}, {rdi, kDi}};
constexpr Reg kArguments[6] = {rdi, rsi, rdx, r10, r8, r9};

constexpr uint32_t kNrRtSigprocmask = 14, kNrGetpid = 39, kNrGettid = 186, kNrRestart = 219, kNrTgkill = 234;
constexpr uint32_t kSetMask = 2;
// What an interrupted call leaves in rax for the kernel's signal code (include/linux/errno.h).
constexpr int64_t kRestartSys = -512, kRestartNoIntr = -513, kRestartNoHand = -514, kRestartBlock = -516;

// Data behind the code, reached by rip-relative loads whose displacement is filled in at the end.
class Data {
public:
  explicit Data(Emitter& emit) : emit_(emit) {}

  size_t add(uint64_t value) {
    words_.push_back(value);
    return words_.size() - 1;
  }
  void load(Reg reg, size_t word) { // mov word(%rip), %reg
    emit_.bytes({static_cast<uint8_t>(0x48 | (reg >= 8 ? 4 : 0)), 0x8b, static_cast<uint8_t>(0x05 | ((reg & 7) << 3))});
    use(word);
  }
  void address(Reg reg, size_t word) { // lea word(%rip), %reg
    emit_.bytes({static_cast<uint8_t>(0x48 | (reg >= 8 ? 4 : 0)), 0x8d, static_cast<uint8_t>(0x05 | ((reg & 7) << 3))});
    use(word);
  }
  void jump(size_t word) { // jmp *word(%rip)
    emit_.bytes({0xff, 0x25});
    use(word);
  }
  // Offset of the first word.
  uint32_t finish() {
    while (emit_.size() % 8 != 0) {
      emit_.u8(0xcc);
    }
    const uint32_t base = emit_.size();
    for (const uint64_t word : words_) {
      emit_.u64(word);
    }
    for (const Use& use : uses_) {
      emit_.patch32_relative(use.at, base + use.word * 8, use.at + 4); // both count from the stub
    }
    return base;
  }

private:
  struct Use {
    size_t at, word;
  };
  void use(size_t word) {
    uses_.push_back({emit_.size(), word});
    emit_.u32(0);
  }

  Emitter& emit_;
  std::vector<uint64_t> words_;
  std::vector<Use> uses_;
};

void system_call(Emitter& emit, uint32_t number) {
  emit.move_imm(rax, number);
  emit.bytes({0x0f, 0x05});
}

void copy(Emitter& emit, Reg to, Reg from) { // mov %from, %to
  emit.bytes({static_cast<uint8_t>(0x48 | (from >= 8 ? 4 : 0) | (to >= 8 ? 1 : 0)), 0x89,
              static_cast<uint8_t>(0xc0 | ((from & 7) << 3) | (to & 7))});
}

} // namespace

RemoteStub make_remote_stub(const RemoteStubRequest& request) {
  uint64_t regs[27] = {};
  std::memcpy(regs, request.registers.data(), std::min(sizeof regs, request.registers.size()));
  const int64_t result = static_cast<int64_t>(regs[kAx]);
  if (static_cast<int64_t>(regs[kOrigAx]) != -1 &&
      (result == kRestartSys || result == kRestartNoIntr || result == kRestartNoHand || result == kRestartBlock)) {
    regs[kAx] = result == kRestartBlock ? kNrRestart : regs[kOrigAx];
    regs[kIp] -= 2; // to the `syscall` again
  }

  Emitter emit(request.pc);
  Data data(emit);
  RemoteStub stub;
  Label done;
  stub.single = emit.size();
  const size_t single = data.add(0);
  data.load(rax, single);
  for (const Reg argument : kArguments) {
    data.load(argument, data.add(0));
  }
  emit.bytes({0x0f, 0x05});
  copy(emit, rbx, rax);
  emit.jump(done);

  constexpr auto kMore = static_cast<int32_t>(offsetof(bpfaot_remote_call, more));
  const uint32_t loop = emit.size();
  stub.batch = loop;
  emit.load(rcx, rbx, kMore);
  emit.bytes({0xe3, 0}); // jrcxz done
  const uint32_t over = emit.size();
  emit.load(rax, rbx, offsetof(bpfaot_remote_call, copy_from));
  emit.load(rax, rax, 0);
  emit.load(rcx, rbx, offsetof(bpfaot_remote_call, copy_to));
  emit.store(rcx, 0, rax);
  emit.load(rax, rbx, offsetof(bpfaot_remote_call, number));
  for (size_t i = 0; i < 6; ++i) {
    emit.load(kArguments[i], rbx, static_cast<int32_t>(offsetof(bpfaot_remote_call, args) + 8 * i));
  }
  emit.bytes({0x0f, 0x05});
  emit.store(rbx, offsetof(bpfaot_remote_call, result), rax);
  emit.lea(rbx, rbx, sizeof(bpfaot_remote_call));
  emit.bytes({0xeb, static_cast<uint8_t>(loop - (emit.size() + 2))}); // jmp loop

  emit.bind(done);
  const uint32_t done_at = emit.size();
  system_call(emit, kNrGetpid);
  copy(emit, rdi, rax);
  system_call(emit, kNrGettid);
  copy(emit, rsi, rax);
  emit.move_imm(rdx, request.signal);
  system_call(emit, kNrTgkill);
  stub.done = emit.size();

  // Nobody has taken the thread back.
  emit.move_imm(rdi, kSetMask);
  data.address(rsi, data.add(request.signal_mask));
  emit.move_imm(rdx, 0);
  emit.move_imm(r10, 8);
  system_call(emit, kNrRtSigprocmask);
  for (const Home& home : kHomes) {
    data.load(home.reg, data.add(regs[home.word]));
  }
  data.jump(data.add(regs[kIp]));

  stub.single_call = data.finish();
  stub.bytes = emit.take();
  stub.bytes[over - 1] = static_cast<uint8_t>(done_at - over);
  return stub;
}

} // namespace bpfaot::targets::x86_64
