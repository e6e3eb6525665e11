// SPDX-License-Identifier: MIT
//
// Another process under ptrace: started or seized, stopped as a whole, read, written, made to
// perform system calls, let go. Nothing stays changed: registers, signal masks, pending signals and
// interrupted system calls are as they were when detach() returns.
//
// How, on the points that are easy to get wrong (ptrace(2); kernel/ptrace.c, kernel/signal.c):
//   - PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, so none is seen by the process. A signal
//     that arrives while a thread is on its way to the stop is delivered at once (PTRACE_CONT with
//     the signal); the interrupt is asked for again (any stop takes it away) and stops the thread
//     before its handler runs.
//   - A remote system call runs with every signal blocked (PTRACE_SETSIGMASK), so a signal waits in
//     its queue and no handler sees foreign registers. The mask is put back before the registers.
//   - The thread enters and leaves the call under PTRACE_SYSCALL. No SIGTRAP is involved: a forced
//     SIGTRAP would reset a disposition that the process ignores. orig_rax and its like are -1 in
//     between, so that a call which our stop interrupted is not restarted in the middle.
//   - Original registers are put back while the thread is in a PTRACE_INTERRUPT stop. That stop is
//     inside the kernel's signal code, behind which it decides whether to restart a system call;
//     a stop at the exit of a system call is not, and an interrupted read() would return ERESTARTSYS.
//   - Threads that are born meanwhile are seized by the kernel (PTRACE_O_TRACECLONE).
#pragma once

#include "loader/live_space.h"
#include "loader/proc_maps.h"
#include "support/files.h"
#include "targets/patch.h"

#include <string>
#include <vector>

namespace bpfaot::loader {

struct Thread {
  int tid = 0;
  bool stopped = false;
};

// Raw NT_PRSTATUS registers of one thread.
using RegisterBytes = std::vector<uint8_t>;

enum class Wait : uint8_t { stopped, exited };

class Process final : public LiveSpace {
public:
  // Starts a command (found as execvp does) and stops it behind a successful exec, before its first
  // instruction and the dynamic linker's. Descriptors of this process that are close-on-exec stay
  // here; terminal, environment and signal settings are inherited. exec_error() tells 126 from 127.
  // [process-start]
  static Result<Process> start(const std::vector<std::string>& command, const targets::Patcher& patcher);
  // Seizes a running process and stops all its threads.
  // [process-gone] [process-denied] [process-traced] [process-32-bit] [process-self]
  static Result<Process> attach(int pid, const targets::Patcher& patcher);

  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process() override; // detaches

  int pid() const override { return pid_; }
  const std::vector<Thread>& threads() const { return threads_; }
  Status read(uint64_t address, std::span<uint8_t> out) override;
  Status write(uint64_t address, std::span<const uint8_t> bytes) override;
  // On the leader, or the first thread that lives. Files come through /proc where the process may look
  // there, else over a socket; none stays open. [process-gone] [process-seccomp]
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls,
                                            std::span<const SharedFile> files = {}) override;
  Status hold() override;
  void release() override {}
  Result<bool> leave(const CoveredCode& code) override;

  Result<RegisterBytes> registers(int tid);
  Status set_registers(int tid, const RegisterBytes& registers);
  uint64_t pc(const RegisterBytes& registers) const;
  uint64_t sp(const RegisterBytes& registers) const;
  void set_pc(RegisterBytes& registers, uint64_t pc) const;
  Status step(int tid); // one instruction; signals are delivered as they come

  // Lets a single-threaded process run until it is about to execute the instruction at `address`
  // (a breakpoint that is there only meanwhile). `exited`: it ended before; exit_status() is set.
  Result<Wait> run_to(uint64_t address);
  // Lets all threads go on under trace for about `microseconds`, then stops them again.
  Status run_a_little(unsigned microseconds);
  // Lets everything go. Idempotent.
  void detach();

  bool is_child() const { return is_child_; }
  bool has_exited() const { return has_exited_; }
  int exit_status() const { return exit_status_; } // as waitpid gives it

private:
  Process(int pid, const targets::Patcher& patcher) : pid_(pid), patcher_(&patcher) {}

  Status seize_all();
  Status stop_all();
  Status wait_for_stop(Thread& thread);
  Status open_memory();
  Status find_syscall_insn();
  Status check_tracing();
  Result<Thread*> worker();
  Result<int64_t> one_call(uint64_t number, std::span<const uint64_t> args);
  Result<int64_t> one_call(uint64_t number, std::initializer_list<uint64_t> args) {
    return one_call(number, std::span<const uint64_t>(args.begin(), args.size()));
  }
  Result<std::vector<int>> send_files(std::span<const SharedFile> files);
  Result<int> open_there(uint64_t scratch, const SharedFile& file);
  Result<std::vector<int>> send_by_socket(uint64_t scratch, std::span<const SharedFile> files);
  Result<std::vector<int>> receive_there(uint64_t scratch, int socket, size_t count);
  void close_there(const std::vector<int>& fds);
  Result<int> wait_thread(int tid);
  void forget(int tid);
  Failure gone() const;
  template <class Bytes, class Move> Status move_bytes(uint64_t address, Bytes bytes, const char* verb, Move move);

  struct Borrowed; // registers and mask of a thread that runs for us
  Result<Borrowed> borrow(Thread& thread);
  Status give_back(Thread& thread, const Borrowed& borrowed);
  Status run_until_stop(Thread& thread, int request, bool want_syscall_stop);

  int pid_;
  const targets::Patcher* patcher_;
  UniqueFd memory_;
  std::vector<Thread> threads_;
  uint64_t syscall_insn_ = 0;
  bool is_child_ = false;
  bool attached_ = false;
  bool has_exited_ = false;
  bool seccomp_ = false, seccomp_suspended_ = false;
  int exit_status_ = 0;
};

// errno of the exec that failed, from a [process-start] diagnostic's notes: 127 when the command was
// not found, 126 when it cannot be executed.
int exec_failure_status(const Diagnostic& diagnostic);

} // namespace bpfaot::loader
