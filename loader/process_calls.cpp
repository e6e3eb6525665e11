// SPDX-License-Identifier: MIT
//
// Making a stopped process run its own code: the start of a command, breakpoints. The
// rules are at the top of process.h; system calls are in remote_calls.cpp.
#include "loader/process.h"

#include "loader/process_loan.h"

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

std::vector<uint8_t> Process::register_set(int tid, uint32_t type) {
  constexpr size_t kMost = 16384; // of SVE registers
  std::vector<uint8_t> bytes(kMost);
  iovec vector{bytes.data(), bytes.size()};
  bytes.resize(ptrace(PTRACE_GETREGSET, tid, type, &vector) == 0 ? vector.iov_len : 0);
  return bytes;
}

Status Process::set_register_sets(int tid, const std::vector<RegisterBytes>& sets) {
  for (size_t i = 0; i < sets.size(); ++i) {
    iovec vector{const_cast<uint8_t*>(sets[i].data()), sets[i].size()};
    if (!sets[i].empty() && ptrace(PTRACE_SETREGSET, tid, patcher_->more_regsets[i], &vector) != 0)
      return fail(Code::kProcessGone, failed("writing more registers", pid_));
  }
  return {};
}

uint64_t Process::pc(const RegisterBytes& registers) const { return load_register(registers, patcher_->registers.pc_offset); }
uint64_t Process::sp(const RegisterBytes& registers) const { return load_register(registers, patcher_->registers.sp_offset); }
void Process::set_pc(RegisterBytes& registers, uint64_t pc) const {
  std::memcpy(registers.data() + patcher_->registers.pc_offset, &pc, sizeof pc);
}

Result<uint64_t> Process::return_address() {
  const RegisterBytes now = TRY(registers(threads_.front().tid));
  if (patcher_->links_in_register)
    return load_register(now, patcher_->registers.link_offset);
  return read_object<uint64_t>(sp(now));
}

Result<Wait> Process::run_to(uint64_t address) {
  const auto trap = patcher_->breakpoint_insn;
  std::vector<uint8_t> original(trap.size());
  TRY(read(address, original));
  TRY(write(address, trap));
  TRY(give_back());
  if (threads_.empty())
    return gone();
  const int tid = threads_.front().tid;
  threads_.front().stopped = false;
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
    threads_.front().stopped = true;
    TRY(hold()); // threads that the dynamic linker's start has made, if any
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
  process.stays_ = true;
  report_write.reset();
  if (ptrace(PTRACE_SEIZE, child, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC) != 0) {
    const std::string why = failed("tracing", child);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
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
      while (!TRY(process.wait_for_stop(0)))
        if (process.threads_.empty())
          return process.gone();
      const ProcessStatus facts = TRY(read_status(child));
      process.seccomp_ = facts.seccomp != 0;
      TRY(process.open_memory());
      return process;
    }
    signal = *status >> 16 == 0 ? WSTOPSIG(*status) : 0;
    ptrace(PTRACE_CONT, child, nullptr, signal);
  }
  process.threads_.clear();
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
