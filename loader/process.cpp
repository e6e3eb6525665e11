// SPDX-License-Identifier: MIT
//
// Seizing, stopping and letting go; memory. Remote execution is in process_calls.cpp.
#include "loader/process.h"

#include "support/hex.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

namespace bpfaot::loader {
namespace {

constexpr long kOptions = PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD;
constexpr int kEventStop = 128; // PTRACE_EVENT_STOP

std::string errno_text() { return std::strerror(errno); }

// ELF class of the running executable: a 32-bit process has another system call ABI.
bool is_32_bit(int pid) {
  const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  unsigned char head[EI_NIDENT] = {};
  return pread(file.get(), head, sizeof head, 0) == ssize_t(sizeof head) && head[EI_CLASS] == ELFCLASS32;
}

int event_of(int status) { return status >> 16; }

} // namespace

Process::Process(Process&& other) noexcept
    : pid_(other.pid_), patcher_(other.patcher_), memory_(std::move(other.memory_)),
      threads_(std::move(other.threads_)), syscall_insn_(other.syscall_insn_),
      is_child_(other.is_child_), attached_(std::exchange(other.attached_, false)), has_exited_(other.has_exited_), seccomp_(other.seccomp_), seccomp_suspended_(other.seccomp_suspended_),
      exit_status_(other.exit_status_) {}

Process::~Process() { detach(); }

Failure Process::gone() const {
  return fail(Code::kProcessGone, "process " + std::to_string(pid_) + " has ended");
}

Result<Process> Process::attach(int pid, const targets::Patcher& patcher) {
  Process process(pid, patcher);
  TRY(process.check_tracing());
  TRY(process.seize_all());
  TRY(process.open_memory());
  return process;
}

Status Process::check_tracing() {
  const std::string who = "process " + std::to_string(pid_);
  if (pid_ == getpid())
    return fail(Code::kProcessSelf, who + " is bpf-aot itself");
  const ProcessStatus status = TRY(read_status(pid_));
  if (status.state == 'Z' || status.state == 'X')
    return fail(Code::kProcessGone, who + " has ended");
  if (status.tgid != pid_)
    return fail(Code::kProcessGone, std::to_string(pid_) + " is a thread of process " + std::to_string(status.tgid));
  if (status.tracer != 0)
    return fail(Code::kProcessTraced, who + " is traced by process " + std::to_string(status.tracer));
  if (is_32_bit(pid_))
    return fail(Code::kProcess32, who + " runs a 32-bit program");
  seccomp_ = status.seccomp != 0;
  return {};
}

// Threads may appear while the list is read: repeat until a whole reading brings nothing new. Threads
// born from a seized one are seized by the kernel, so this ends.
Status Process::seize_all() {
  attached_ = true;
  for (bool found = true; found;) {
    found = false;
    for (const int tid : TRY(read_threads(pid_))) {
      const auto known = [tid](const Thread& thread) { return thread.tid == tid; };
      if (std::any_of(threads_.begin(), threads_.end(), known))
        continue;
      if (ptrace(PTRACE_SEIZE, tid, nullptr, kOptions) != 0) {
        if (errno == ESRCH)
          continue; // ended meanwhile
        // EPERM is also what the kernel says of a thread that it has seized for us already.
        const std::string why = errno_text();
        const auto status = read_status(tid);
        if (!status || status->state == 'Z' || status->state == 'X')
          continue;
        if (status->tracer != getpid()) {
          return Failure(make_error(Code::kProcessDenied,
                                    "process " + std::to_string(pid_) + " may not be traced: " + why)
                             .hint("the process must be this user's and dumpable; where "
                                   "kernel.yama.ptrace_scope is not 0, only a parent or root may attach"));
        }
      }
      threads_.push_back({tid, false});
      found = true;
    }
    TRY(stop_all());
  }
  if (threads_.empty())
    return gone();
  if (seccomp_)
    seccomp_suspended_ = ptrace(PTRACE_SETOPTIONS, threads_.front().tid, nullptr,
                                kOptions | PTRACE_O_SUSPEND_SECCOMP) == 0;
  return {};
}

Status Process::stop_all() {
  for (const Thread& thread : threads_)
    if (!thread.stopped)
      ptrace(PTRACE_INTERRUPT, thread.tid, nullptr, nullptr); // fails when the thread has ended
  for (size_t i = 0; i < threads_.size();) {
    const int tid = threads_[i].tid;
    if (!threads_[i].stopped)
      TRY(wait_for_stop(threads_[i]));
    // wait_for_stop removes a thread that has ended.
    if (i < threads_.size() && threads_[i].tid == tid)
      ++i;
  }
  return threads_.empty() ? Status(gone()) : Status();
}

void Process::forget(int tid) {
  std::erase_if(threads_, [tid](const Thread& thread) { return thread.tid == tid; });
}

Result<int> Process::wait_thread(int tid) {
  int status = 0;
  while (waitpid(tid, &status, __WALL) < 0)
    if (errno != EINTR)
      return gone();
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    if (tid == pid_) {
      has_exited_ = true;
      exit_status_ = status;
    }
    forget(tid);
    return fail(Code::kProcessGone, "process " + std::to_string(pid_) + " has ended");
  }
  return status;
}

// Until the stop that PTRACE_INTERRUPT asked for. Other stops on the way: a signal is delivered, a
// clone event goes on (the child is seized; if it is no thread of ours it is let go). Each of them
// takes the pending interrupt away, so it is asked for again; the thread then stops before it
// executes anything of its own.
Status Process::wait_for_stop(Thread& thread) {
  const int tid = thread.tid;
  for (;;) {
    const auto status = wait_thread(tid);
    if (!status)
      return has_exited_ ? Status(gone()) : Status(); // one thread of several
    if (event_of(*status) == kEventStop) {
      thread.stopped = true;
      return {};
    }
    if (event_of(*status) == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &child);
      const auto born = read_status(int(child));
      if (born && born->tgid != pid_) {
        int ignored = 0;
        waitpid(int(child), &ignored, __WALL);
        ptrace(PTRACE_DETACH, int(child), nullptr, nullptr);
      }
    }
    const int signal = event_of(*status) == 0 ? WSTOPSIG(*status) : 0;
    ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    ptrace(PTRACE_CONT, tid, nullptr, signal == (SIGTRAP | 0x80) ? 0 : signal);
  }
}

Status Process::open_memory() {
  memory_.reset(::open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory_.valid())
    return fail(Code::kProcessDenied, "memory of process " + std::to_string(pid_) + " cannot be opened: " + errno_text());
  return {};
}

// pread or pwrite until everything is moved. 0 bytes are the kernel's word for memory without an owner.
template <class Bytes, class Move> Status Process::move_bytes(uint64_t address, Bytes bytes, const char* verb, Move move) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t size = move(memory_.get(), bytes.data() + done, bytes.size() - done, off_t(address + done));
    if (size == 0)
      return gone();
    if (size < 0)
      return fail(Code::kProcessMemory, std::to_string(bytes.size()) + " bytes at " + hex(address) + " of process " +
                                            std::to_string(pid_) + " cannot be " + verb);
    done += size_t(size);
  }
  return {};
}

Status Process::read(uint64_t address, std::span<uint8_t> out) { return move_bytes(address, out, "read", pread); }

Status Process::write(uint64_t address, std::span<const uint8_t> bytes) {
  return move_bytes(address, bytes, "written", pwrite);
}

Status Process::run_a_little(unsigned microseconds) {
  for (Thread& thread : threads_)
    if (ptrace(PTRACE_CONT, thread.tid, nullptr, nullptr) == 0)
      thread.stopped = false;
  const timespec pause{time_t(microseconds / 1'000'000), long(microseconds % 1'000'000) * 1000};
  nanosleep(&pause, nullptr);
  return seize_all();
}

void Process::detach() {
  if (!attached_)
    return;
  // PTRACE_DETACH needs a stopped thread; after a failure half way some may run, or be unknown yet.
  const auto runs = [](const Thread& thread) { return !thread.stopped; };
  if (!has_exited_ && std::any_of(threads_.begin(), threads_.end(), runs))
    (void)seize_all();
  attached_ = false;
  for (const Thread& thread : threads_)
    ptrace(PTRACE_DETACH, thread.tid, nullptr, nullptr);
  threads_.clear();
}

} // namespace bpfaot::loader
