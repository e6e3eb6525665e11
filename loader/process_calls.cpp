// SPDX-License-Identifier: MIT
//
// Making a stopped process run something: the start of a command, system calls, short code, single
// steps. The rules are at the top of process.h.
#include "loader/process.h"

#include "support/hex.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kEventStop = 128; // PTRACE_EVENT_STOP
constexpr int kSyscallStop = SIGTRAP | 0x80;
constexpr size_t kSignalSetSize = 8; // of the kernel's sigset_t, what PTRACE_SETSIGMASK wants

uint64_t load(const RegisterBytes& registers, uint32_t offset) {
  uint64_t value = 0;
  if (offset + sizeof value <= registers.size())
    std::memcpy(&value, registers.data() + offset, sizeof value);
  return value;
}

std::string failed(const char* what, int pid) {
  return std::string(what) + " of process " + std::to_string(pid) + " failed: " + std::strerror(errno);
}

// execvp says EACCES also where a folder of PATH may not be searched and nothing was found; shells call
// that "not found".
bool is_anywhere_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos)
    return true;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
  while (true) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string folder(end == 0 ? "." : rest.substr(0, end));
    struct stat status {};
    if (stat((folder + "/" + name).c_str(), &status) == 0)
      return true;
    if (end == rest.size())
      return false;
    rest.remove_prefix(end + 1);
  }
}

} // namespace

struct Process::Borrowed {
  RegisterBytes registers;
  uint64_t mask = 0;
};

Result<RegisterBytes> Process::registers(int tid) {
  RegisterBytes bytes(patcher_->registers.size);
  iovec vector{bytes.data(), bytes.size()};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &vector) != 0 || vector.iov_len != bytes.size())
    return fail(Code::kProcessGone, failed("reading the registers", pid_));
  return bytes;
}

Status Process::set_registers(int tid, const RegisterBytes& registers) {
  iovec vector{const_cast<uint8_t*>(registers.data()), registers.size()};
  if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &vector) != 0)
    return fail(Code::kProcessGone, failed("writing the registers", pid_));
  return {};
}

uint64_t Process::pc(const RegisterBytes& registers) const { return load(registers, patcher_->registers.pc_offset); }
uint64_t Process::sp(const RegisterBytes& registers) const { return load(registers, patcher_->registers.sp_offset); }
void Process::set_pc(RegisterBytes& registers, uint64_t pc) const {
  std::memcpy(registers.data() + patcher_->registers.pc_offset, &pc, sizeof pc);
}

Result<Thread*> Process::worker() {
  if (!attached_ || threads_.empty())
    return gone();
  return &threads_.front();
}

// Any system call instruction in executable memory will do: it is entered at and stopped behind. The
// vDSO nearly always has one; it comes first because nobody patches it.
Status Process::find_syscall_insn() {
  auto maps = TRY(read_maps(pid_));
  std::stable_sort(maps.begin(), maps.end(),
                   [](const MapsEntry& a, const MapsEntry& b) { return (a.path == "[vdso]") > (b.path == "[vdso]"); });
  const auto wanted = patcher_->syscall_insn;
  std::vector<uint8_t> bytes;
  for (const MapsEntry& entry : maps) {
    if (!entry.executable || entry.path == "[vsyscall]")
      continue;
    for (uint64_t at = entry.start; at < entry.end; at += 1u << 20) {
      bytes.resize(std::min<uint64_t>(entry.end - at, (1u << 20) + wanted.size() - 1));
      if (Status status = read(at, bytes); !status) {
        if (status.error().code == Code::kProcessGone)
          return status;
        break;
      }
      const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
      if (found != bytes.end()) {
        syscall_insn_ = at + uint64_t(found - bytes.begin());
        return {};
      }
    }
  }
  return fail(Code::kProcessMemory, "process " + std::to_string(pid_) + " has no system call instruction");
}

Result<Process::Borrowed> Process::borrow(Thread& thread) {
  Borrowed borrowed;
  borrowed.registers = TRY(registers(thread.tid));
  const uint64_t all = ~uint64_t{0};
  if (ptrace(PTRACE_GETSIGMASK, thread.tid, kSignalSetSize, &borrowed.mask) != 0 ||
      ptrace(PTRACE_SETSIGMASK, thread.tid, kSignalSetSize, &all) != 0)
    return fail(Code::kProcessGone, failed("blocking the signals", pid_));
  return borrowed;
}

// The thread must be in an interrupt stop; see the top of process.h.
Status Process::give_back(Thread& thread, const Borrowed& borrowed) {
  TRY(set_registers(thread.tid, borrowed.registers));
  if (ptrace(PTRACE_SETSIGMASK, thread.tid, kSignalSetSize, &borrowed.mask) != 0)
    return fail(Code::kProcessGone, failed("restoring the signal mask", pid_));
  return {};
}

// Goes on with `request` until a system call stop, or an interrupt stop. On the way to a system call
// stop a group stop (SIGSTOP cannot be blocked) is passed over: the kernel takes it up again when the
// tracer lets go. In a process that is stopped, the interrupt stop carries the stop signal instead of
// SIGTRAP; it is at the same place in the kernel's signal code, so it serves as well.
Status Process::run_until_stop(Thread& thread, int request, bool want_syscall_stop) {
  int signal = 0;
  for (;;) {
    if (!want_syscall_stop) // again each time: any other stop takes it away
      ptrace(PTRACE_INTERRUPT, thread.tid, nullptr, nullptr);
    if (ptrace(static_cast<__ptrace_request>(request), thread.tid, nullptr, signal) != 0)
      return fail(Code::kProcessGone, failed("running a thread", pid_));
    const int status = TRY(wait_thread(thread.tid));
    signal = 0;
    if (status >> 16 == kEventStop) {
      if (!want_syscall_stop)
        return {};
      continue;
    }
    if (status >> 16 == 0 && WSTOPSIG(status) == kSyscallStop) {
      if (want_syscall_stop)
        return {};
      continue;
    }
    if (status >> 16 == 0)
      signal = WSTOPSIG(status); // only one that the kernel forces reaches this
  }
}

Result<int64_t> Process::one_call(uint64_t number, std::span<const uint64_t> args) {
  Thread& thread = *TRY(worker());
  if (seccomp_ && !seccomp_suspended_)
    return fail(Code::kProcessSeccomp, "process " + std::to_string(pid_) +
                                           " filters its system calls (seccomp) and the filter cannot be suspended");
  if (syscall_insn_ == 0)
    TRY(find_syscall_insn());
  const Borrowed borrowed = TRY(borrow(thread));
  RegisterBytes changed = borrowed.registers;
  patcher_->prepare_syscall(changed, syscall_insn_, number, args);
  TRY(set_registers(thread.tid, changed));
  TRY(run_until_stop(thread, PTRACE_SYSCALL, true)); // at its entry
  TRY(run_until_stop(thread, PTRACE_SYSCALL, true)); // at its exit
  const auto result = int64_t(load(TRY(registers(thread.tid)), patcher_->registers.result_offset));
  TRY(run_until_stop(thread, PTRACE_CONT, false));
  TRY(give_back(thread, borrowed));
  return result;
}

Result<std::vector<int64_t>> Process::system_calls(std::span<const SystemCall> calls, std::span<const SharedFile> files) {
  const std::vector<int> there = TRY(send_files(files));
  std::vector<int64_t> results;
  Status status;
  for (const SystemCall& call : calls) {
    std::array<uint64_t, 6> args = call.args;
    if (call.file >= 0)
      args[call.file_argument] = uint64_t(there[size_t(call.file)]);
    Result<int64_t> result = one_call(call.number, args);
    if (!result) {
      status = std::move(result).take_error();
      break;
    }
    results.push_back(*result);
  }
  close_there(there);
  TRY(std::move(status));
  return results;
}

Status Process::step(int tid) {
  int signal = 0;
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, tid, nullptr, signal) != 0)
      return fail(Code::kProcessGone, failed("stepping", pid_));
    const int status = TRY(wait_thread(tid));
    if (status >> 16 == kEventStop)
      continue;
    if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP)
      return {};
    signal = status >> 16 == 0 && WSTOPSIG(status) != kSyscallStop ? WSTOPSIG(status) : 0;
  }
}

Status Process::hold() { return stop_all(); }

Result<bool> Process::leave(const CoveredCode& code) {
  constexpr int kSteps = 64;
  bool entered = false;
  for (size_t i = 0; i < threads_.size(); ++i) {
    const int tid = threads_[i].tid;
    for (int step_count = 0;; ++step_count) {
      RegisterBytes now = TRY(registers(tid));
      const uint64_t offset = pc(now) - code.address;
      if (offset == 0 || offset >= code.size)
        break;
      const auto found = std::find_if(code.moved.begin(), code.moved.end(),
                                      [&](const targets::MovedInsn& insn) { return insn.from == offset; });
      if (found != code.moved.end()) {
        set_pc(now, code.trampoline + found->to);
        entered = true;
        TRY(set_registers(tid, now));
        break;
      }
      if (step_count == kSteps)
        return fail(Code::kAttachBytes, "thread " + std::to_string(tid) + " stands inside an instruction at " + hex(pc(now)));
      TRY(step(tid));
    }
  }
  return entered;
}

Result<Wait> Process::run_to(uint64_t address) {
  const auto trap = patcher_->breakpoint_insn;
  std::vector<uint8_t> original(trap.size());
  TRY(read(address, original));
  TRY(write(address, trap));
  Thread& thread = *TRY(worker());
  const int tid = thread.tid;
  thread.stopped = false;
  int signal = 0;
  for (;;) {
    if (ptrace(PTRACE_CONT, tid, nullptr, signal) != 0)
      return gone();
    const auto status = wait_thread(tid);
    if (!status && has_exited_)
      return Wait::exited;
    if (!status)
      return gone();
    signal = *status >> 16 == 0 && WSTOPSIG(*status) != kSyscallStop ? WSTOPSIG(*status) : 0;
    if (signal != SIGTRAP)
      continue;
    RegisterBytes now = TRY(registers(tid));
    if (pc(now) != address + patcher_->breakpoint_pc_bias)
      continue;
    TRY(write(address, original));
    set_pc(now, address);
    TRY(set_registers(tid, now));
    thread.stopped = true;
    TRY(seize_all()); // threads that the dynamic linker's start has made, if any
    return Wait::stopped;
  }
}

// The child waits for the parent to seize it, then executes the command. What becomes of the exec
// comes back through a close-on-exec pipe: nothing on success, errno otherwise.
Result<Process> Process::start(const std::vector<std::string>& command, const targets::Patcher& patcher) {
  if (command.empty())
    return fail(Code::kProcessStart, "no command was given");
  int go[2], report[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0)
    return fail(Code::kProcessStart, failed("creating a pipe", getpid()));
  UniqueFd go_read(go[0]), go_write(go[1]), report_read(report[0]), report_write(report[1]);
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t child = fork();
  if (child < 0)
    return fail(Code::kProcessStart, failed("fork", getpid()));
  if (child == 0) {
    close(go[1]);
    char byte = 0;
    while (::read(go[0], &byte, 1) < 0 && errno == EINTR) {
    }
    execvp(arguments[0], arguments.data());
    const int error = errno;
    (void)!::write(report[1], &error, sizeof error);
    _exit(127);
  }

  Process process(child, patcher);
  process.is_child_ = true;
  process.attached_ = true;
  report_write.reset();
  if (ptrace(PTRACE_SEIZE, child, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC) != 0) {
    const std::string why = failed("tracing", child);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    process.attached_ = false;
    return fail(Code::kProcessDenied, why);
  }
  process.threads_.push_back({child, false});
  go_write.reset(); // end of file lets the child go on
  for (int signal = 0;;) {
    const auto status = process.wait_thread(child);
    if (!status)
      break;
    if (*status >> 16 == PTRACE_EVENT_EXEC) {
      // An interrupt stop instead of the exec stop, so that all later rules hold.
      ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD);
      ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr);
      ptrace(PTRACE_CONT, child, nullptr, nullptr);
      TRY(process.wait_for_stop(process.threads_.front()));
      const ProcessStatus facts = TRY(read_status(child));
      process.seccomp_ = facts.seccomp != 0;
      TRY(process.open_memory());
      return process;
    }
    signal = *status >> 16 == 0 ? WSTOPSIG(*status) : 0;
    ptrace(PTRACE_CONT, child, nullptr, signal);
  }
  process.attached_ = false;
  int error = 0;
  if (::read(report_read.get(), &error, sizeof error) != ssize_t(sizeof error))
    error = 0;
  if (error == EACCES && !is_anywhere_in_path(command.front()))
    error = ENOENT;
  return Failure(make_error(Code::kProcessStart, "command '" + command.front() + "' cannot be started" +
                                                     (error != 0 ? std::string(": ") + std::strerror(error) : ""))
                     .note("errno " + std::to_string(error)));
}

int exec_failure_status(const Diagnostic& diagnostic) {
  for (const std::string& note : diagnostic.notes)
    if (note == "errno " + std::to_string(ENOENT))
      return 127;
  return 126;
}

} // namespace bpfaot::loader
