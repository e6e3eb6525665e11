// SPDX-License-Identifier: MIT
//
// Tries the remote stub of the machine it is compiled for under a real ptrace: a tracer makes a process
// perform system calls, and lets it go or dies at once in the middle. The process computes with all
// the registers a compiler uses, or waits in a system call, and must not notice. Linux only; no part of
// the loader but targets/MACHINE/remote.cpp.
#include "targets/arena.h"
#include "targets/patch.h"
#if defined(__aarch64__)
#include "targets/aarch64/patch.h"
namespace machine = bpfaot::targets::aarch64;
constexpr size_t kSp = 31, kPc = 32, kCursor = 19, kWords = 34;
constexpr uint32_t kVectors = 0x405; // NT_ARM_SVE
#else
#include "targets/riscv64/patch.h"
namespace machine = bpfaot::targets::riscv64;
constexpr size_t kSp = 2, kPc = 0, kCursor = 9, kWords = 32;
constexpr uint32_t kVectors = 0x901; // NT_RISCV_VECTOR
#endif

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using bpfaot::targets::RemoteStub;
using bpfaot::targets::RemoteStubRequest;

void check(bool truth, const char* what, long detail = 0) {
  if (!truth) {
    std::printf("failed: %s (%ld, errno %d)\n", what, detail, errno);
    std::fflush(stdout);
    _exit(1);
  }
}

// Known to everyone before the processes part.
uint8_t* code;          // executable, not writable
bpfaot_remote_call* table;
int memory;             // of the target, for the tracer

std::vector<uint8_t> regset(int pid, uint32_t type) {
  std::vector<uint8_t> bytes(16384);
  iovec vector{bytes.data(), bytes.size()};
  bytes.resize(ptrace(PTRACE_GETREGSET, pid, type, &vector) == 0 ? vector.iov_len : 0);
  return bytes;
}

void set_regset(int pid, uint32_t type, std::vector<uint8_t>& bytes) {
  iovec vector{bytes.data(), bytes.size()};
  check(ptrace(PTRACE_SETREGSET, pid, type, &vector) == 0, "writing registers", type);
}

enum class End { detach, die_before, die_running, die_done };

// Borrows the target for a batch of calls, then ends as told. True: the results were right.
void trace(int pid, End end, uint64_t calls) {
  int status = 0;
  std::vector<uint8_t> own;
  for (;;) {
    check(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0, "seize");
    check(ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0, "interrupt");
    check(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status), "stop", status);
    own = regset(pid, NT_PRSTATUS);
    check(own.size() == kWords * 8, "size of the registers", static_cast<long>(own.size()));
    uint64_t pc = 0;
    std::memcpy(&pc, &own[kPc * 8], 8);
    if (pc - reinterpret_cast<uint64_t>(code) >= 8192 && status >> 16 == 128)
      break; // not on its way back from the tracer before
    ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    usleep(100);
  }
  std::vector<std::vector<uint8_t>> more = {regset(pid, NT_PRFPREG), regset(pid, kVectors)};
  uint64_t mask = 0, all = ~(uint64_t{1} << (SIGURG - 1));
  check(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask) == 0, "mask");

  RemoteStubRequest request;
  request.pc = reinterpret_cast<uint64_t>(code);
  request.registers = own;
  request.more = more;
  request.signal_mask = mask;
  request.signal = SIGURG;
  if (calls != 1) { // the frame apart, below the stack pointer
    uint64_t stack = 0;
    std::memcpy(&stack, &own[kSp * 8], 8);
    request.frame = (stack - 8192) & ~uint64_t{15};
  }
  const RemoteStub stub = machine::make_remote_stub(request);
  check(stub.frame.empty() == (request.frame == 0), "where the frame is");
  check(pwrite(memory, stub.frame.data(), stub.frame.size(), static_cast<off_t>(request.frame)) == ssize_t(stub.frame.size()), "writing the frame");
  check(pwrite(memory, stub.bytes.data(), stub.bytes.size(), static_cast<off_t>(request.pc)) == ssize_t(stub.bytes.size()), "writing the stub");
  std::vector<bpfaot_remote_call> list(calls + 1);
  for (uint64_t i = 0; i < calls; ++i) {
    const uint64_t result = reinterpret_cast<uint64_t>(&table[i].result);
    list[i] = {1, result, result, SYS_getppid, {}, 0};
  }
  if (calls > 1) { // the second closes a descriptor whose number the first returns
    list[0].number = SYS_dup;
    list[0].args[0] = 1;
    list[1].number = SYS_close;
    list[1].copy_to = reinterpret_cast<uint64_t>(&table[1].args[0]);
    list[1].copy_from = reinterpret_cast<uint64_t>(&table[0].result);
  }
  check(pwrite(memory, list.data(), list.size() * sizeof list[0], reinterpret_cast<off_t>(table)) > 0, "writing the table");

  std::vector<uint8_t> changed = own;
  const auto put = [&](size_t word, uint64_t value) { std::memcpy(&changed[word * 8], &value, 8); };
  const auto get = [&](const std::vector<uint8_t>& from, size_t word) {
    uint64_t value = 0;
    std::memcpy(&value, &from[word * 8], 8);
    return value;
  };
  put(kPc, request.pc + stub.batch);
  put(kCursor, reinterpret_cast<uint64_t>(table));
  set_regset(pid, NT_PRSTATUS, changed);
  if (end == End::die_before)
    kill(getpid(), SIGKILL);
  check(ptrace(PTRACE_SETSIGMASK, pid, 8, &all) == 0, "blocking");
  check(ptrace(PTRACE_CONT, pid, nullptr, nullptr) == 0, "go on");
  if (end == End::die_running)
    kill(getpid(), SIGKILL);
  check(waitpid(pid, &status, __WALL) == pid && status >> 16 == 0 && WSTOPSIG(status) == SIGURG, "the stub's signal", status);
  changed = regset(pid, NT_PRSTATUS);
  check(get(changed, kPc) == request.pc + stub.done, "pc when the stub is done", static_cast<long>(get(changed, kPc)));
  check(get(changed, kSp) == get(own, kSp), "stack pointer");
  if (end == End::die_done)
    kill(getpid(), SIGKILL);
  check(pread(memory, list.data(), list.size() * sizeof list[0], reinterpret_cast<off_t>(table)) > 0, "reading the table");
  for (uint64_t i = 0; i < calls; ++i) {
    const bool closes = calls > 1 && i == 1, dups = calls > 1 && i == 0;
    check(closes ? list[i].result == 0 : dups ? list[i].result > 2 && list[i].result < 100 : list[i].result == uint64_t(getppid()), "result",
          static_cast<long>(list[i].result));
  }
  check(ptrace(PTRACE_SETSIGMASK, pid, 8, &mask) == 0, "mask back");
  if (!more[1].empty())
    set_regset(pid, kVectors, more[1]);
  set_regset(pid, NT_PRSTATUS, own);
  check(ptrace(PTRACE_DETACH, pid, nullptr, nullptr) == 0, "detach");
  _exit(0);
}

__attribute__((noipa)) uint64_t compute(uint64_t rounds) {
  uint64_t a = 1, b = 2, c = 3, d = 5, e = 7, f = 11, g = 13, h = 17, i = 19, j = 23;
  double p = 1.5, q = 2.5, r = 3.5, s = 4.5, t = 5.5, u = 6.5;
  for (uint64_t n = 0; n < rounds; ++n) {
    a = a * 31 + b, b ^= c << 7, c += d >> 3, d = d * 17 + e, e ^= f + n, f = f * 13 + g, g -= h, h ^= i << 5, i += j, j = j * 11 + a;
    p = p * 0.75 + q, q = q * 0.5 + r, r = std::fma(r, 0.25, s), s = s * 0.5 + t, t = t * 0.25 + u, u = u * 0.125 + 1 + static_cast<double>(n & 7);
    if ((a ^ b) < (c ^ d))
      e += 3, s += 0.5;
  }
  uint64_t bits[6];
  const double doubles[6] = {p, q, r, s, t, u};
  std::memcpy(bits, doubles, sizeof bits);
  return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ bits[0] ^ bits[1] ^ bits[2] ^ bits[3] ^ bits[4] ^ bits[5];
}

int run_tracer(int target, End end, uint64_t calls) {
  const pid_t tracer = fork();
  if (tracer == 0)
    trace(target, end, calls);
  int status = 0;
  waitpid(tracer, &status, 0);
  if (WIFEXITED(status))
    check(WEXITSTATUS(status) == 0 && end == End::detach, "a tracer ended");
  else
    check(WTERMSIG(status) == SIGKILL && end != End::detach, "a tracer was killed");
  return status;
}

} // namespace

int main(int argc, char** argv) {
  const uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 6;
  code = static_cast<uint8_t*>(mmap(nullptr, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  table = static_cast<bpfaot_remote_call*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  const uint64_t expected = compute(rounds);
  int pipes[2];
  check(pipe(pipes) == 0, "pipe");
  const pid_t target = fork();
  if (target == 0) {
    alarm(100);
    for (uint64_t lap = 0;; ++lap) {
      check(compute(rounds) == expected, "a computation was disturbed", static_cast<long>(lap));
      char byte = 0;
      const ssize_t size = read(pipes[0], &byte, 1); // restarted, never EINTR
      check(size == 1, "a read was disturbed", size);
      if (byte == 'e')
        _exit(42);
    }
  }
  close(pipes[0]);
  memory = open(("/proc/" + std::to_string(target) + "/mem").c_str(), O_RDWR);
  check(memory >= 0, "memory");
  constexpr End kEnds[] = {End::detach, End::die_before, End::die_running, End::die_done};
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (const End end : kEnds) {
      for (const uint64_t calls : {0, 1, 5}) { // busy at first, later asleep in read()
        run_tracer(target, end, calls);
        usleep(static_cast<useconds_t>(1000 * (repeat % 3)));
      }
    }
    check(write(pipes[1], "g", 1) == 1, "go");
  }
  usleep(200000);
  for (const End end : kEnds)
    run_tracer(target, end, 2);
  check(write(pipes[1], "eeeeeeeeeeee", 12) == 12, "end");
  int status = 0;
  check(waitpid(target, &status, 0) == target && WIFEXITED(status) && WEXITSTATUS(status) == 42, "how the target ended", status);
  std::printf("stub: %d borrowings, the target lives\n", repeats * 12 + 4);
  return 0;
}
