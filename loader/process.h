// SPDX-License-Identifier: MIT
//
// Another process under ptrace: started or seized, held as a whole, read, written, made to perform
// system calls, let go. Nothing stays changed: registers, signal masks and pending signals are as they
// were when the process is let go, and interrupted system calls are restarted as the kernel restarts them
// for any debugger. The same when this process is killed between any two of its own system calls, but for
// seccomp (below), for processes without room for a stub (targets/patch.h), and for one kind of call on
// machines other than x86_64: one that the kernel can only restart with what it has noted, as nanosleep or
// a futex with a timeout, then begins anew with its whole time (aarch64) or ends with EINTR (riscv64).
//
// How, on the points that are easy to get wrong (ptrace(2); kernel/ptrace.c, kernel/signal.c):
//   - PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, so none is seen by the process. A signal
//     that arrives while a thread is on its way to the stop is delivered at once (PTRACE_CONT with
//     the signal); the interrupt is asked for again (any stop takes it away) and stops the thread
//     before its handler runs.
//   - System calls are made by one thread, the leader, in a stub that finds back by
//     itself (targets/patch.h): a batch of them costs one stop. All signals are blocked meanwhile
//     (PTRACE_SETSIGMASK), so no handler sees foreign registers. The stub's own sign of being done is
//     a signal that the process ignores; a tracer sees it as a stop. Where there is none the calls are
//     watched one by one (PTRACE_SYSCALL). No SIGTRAP is involved: a forced SIGTRAP would reset a
//     disposition that the process ignores.
//   - Who has the leader has the process: two loaders cannot write their stubs at one time.
//   - Original registers are put back while the thread is in a PTRACE_INTERRUPT or signal stop. These
//     are inside the kernel's signal code, behind which it decides whether to restart a system call;
//     a stop at the exit of a system call is not, and an interrupted read() would return ERESTARTSYS.
//   - Threads that are born meanwhile are seized by the kernel (PTRACE_O_TRACECLONE).
//   - A thread that waits for its vfork child cannot be stopped, and the child runs in the same
//     memory: the others are let go again until that is over.
//   - A restartable sequence (rseq(2)) in which a thread is stopped is aborted by the kernel only if
//     the thread goes on inside it; a borrowed thread does not, so it is sent to the abort handler.
//   - seccomp: filters are suspended by the tracer. When it dies in the middle of a batch, they hold
//     for the rest of the batch.
#pragma once

#include "loader/live_space.h"
#include "loader/proc_maps.h"
#include "support/files.h"
#include "targets/patch.h"

#include <memory>
#include <optional>
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
  // It stays stopped until detach(). [process-start]
  static Result<Process> start(const std::vector<std::string>& command, const targets::Patcher& patcher);
  // Opens a running process: its memory can be read, nothing is stopped.
  // [process-gone] [process-denied] [process-traced] [process-32-bit] [process-self]
  static Result<Process> open(int pid, const targets::Patcher& patcher);
  // open() and hold().
  static Result<Process> attach(int pid, const targets::Patcher& patcher);

  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process() override; // detaches

  int pid() const override { return pid_; }
  const std::vector<Thread>& threads() const { return threads_; }
  Status read(uint64_t address, std::span<uint8_t> out) override;
  Status write(uint64_t address, std::span<const uint8_t> bytes) override;
  // Stops one thread, which stays stopped until hold() or release(). Files come through /proc where
  // the process may look there, else over a socket; none stays open. [process-gone] [process-seccomp]
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls,
                                            std::span<const SharedFile> files = {}) override;
  Status hold() override;
  void release(bool keep = false) override;
  Result<std::vector<MapsEntry>> mapped() override { return maps_; }
  Result<std::vector<Leave>> leave(std::span<const CoveredCode> codes) override;
  Result<bool> refers_to(std::span<const CodeRange> ranges) override;
  Result<bool> executes(std::span<const CodeRange> ranges) override;

  Result<RegisterBytes> registers(int tid);
  Status set_registers(int tid, const RegisterBytes& registers);
  // Others than those (Patcher::more_regsets); empty where the thread has none of that type.
  RegisterBytes register_set(int tid, uint32_t type);
  Status set_register_sets(int tid, const std::vector<RegisterBytes>& sets);
  uint64_t pc(const RegisterBytes& registers) const;
  uint64_t sp(const RegisterBytes& registers) const;
  void set_pc(RegisterBytes& registers, uint64_t pc) const;

  // Lets a single-threaded process run until it is about to execute the instruction at `address`
  // (a breakpoint that is there only meanwhile). `exited`: it ended before; exit_status() is set.
  Result<Wait> run_to(uint64_t address);
  // Of the first thread, which is stopped at a function's first instruction.
  Result<uint64_t> return_address();
  // Lets everything go. Idempotent.
  void detach();

  bool is_child() const { return is_child_; }
  bool has_exited() const { return has_exited_; }
  int exit_status() const { return exit_status_; } // as waitpid gives it

private:
  Process(int pid, const targets::Patcher& patcher);

  Status check_tracing();
  Status open_memory();
  Failure gone() const;
  Failure denied(const std::string& why) const;
  template <class Bytes, class Move> Status move_bytes(uint64_t address, Bytes bytes, const char* verb, Move move);

  // Stopping.
  Status seize_leader();
  Result<bool> seize(int tid); // false: it has ended
  Result<bool> stop_all();     // false: a thread waits in the kernel; see is_late()
  Result<bool> stop_known();
  Result<bool> wait_for_stop(size_t index);
  bool is_late(int tid) const;
  void resume_all();
  void let_go();
  Result<int> wait_thread(int tid);
  Result<int> wait_thread(int tid, bool& late);
  Result<int> wait_briefly(int tid);
  Result<int> ended(int tid, int status);
  void forget(int tid);

  // The borrowed thread.
  struct Loan;
  Result<Loan*> borrow();
  Status place_stub(Loan& loan);
  uint64_t room_on_stack(const Loan& loan, uint64_t size);
  struct Leftover { // a stub of a killed loader, and what was there before
    uint64_t at = 0;
    std::vector<uint8_t> clean;
  };
  Result<uint64_t> find_slack(const std::vector<MapsEntry>& maps, uint64_t size, std::vector<uint8_t>& under,
                              std::vector<Leftover>& leftovers);
  Status clean_slack(const std::vector<Leftover>& leftovers);
  Result<std::unique_ptr<Loan>> make_loan(std::vector<Leftover>& leftovers);
  static targets::RemoteStubRequest stub_request(const Loan& loan);
  Result<uint64_t> run_stub(Loan& loan, uint64_t entry, uint64_t cursor);
  Status give_back();
  Result<int64_t> one_call(uint64_t number, std::initializer_list<uint64_t> args);
  Result<int64_t> watched_call(Loan& loan, uint64_t number, std::span<const uint64_t> args);
  Result<std::vector<int64_t>> batch(Loan& loan, std::span<const SystemCall> calls, std::span<const SharedFile> files,
                                     std::vector<bool>& opened);
  Status run_until_stop(int tid, int request, bool want_syscall_stop);
  Status find_syscall_insn();
  std::optional<CodeRange> critical_section(int tid, uint64_t& abort);

  // Files over a socket.
  Result<std::vector<int>> send_by_socket(uint64_t scratch, std::span<const SharedFile> files);
  Result<std::vector<int>> receive_there(uint64_t scratch, int socket, size_t count);

  int pid_;
  const targets::Patcher* patcher_;
  UniqueFd memory_;
  std::vector<Thread> threads_;
  std::unique_ptr<Loan> loan_;
  std::vector<MapsEntry> maps_; // of the held process
  uint64_t syscall_insn_ = 0;
  bool is_child_ = false;
  bool stays_ = false; // stopped until detach()
  bool has_processors_ = false; // more than one to run on
  bool has_exited_ = false;
  bool seccomp_ = false, seccomp_suspended_ = false;
  int exit_status_ = 0;
};

// errno of the exec that failed, from a [process-start] diagnostic's notes: 127 when the command was
// not found, 126 when it cannot be executed.
int exec_failure_status(const Diagnostic& diagnostic);

} // namespace bpfaot::loader
