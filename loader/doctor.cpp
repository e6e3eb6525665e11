// SPDX-License-Identifier: MIT
//
// The machine: kernel, tracing, memory, seccomp, processor.
#include "loader/doctor.h"

#include "loader/proc_maps.h"
#include "loader/registry.h"
#include "support/files.h"
#include "support/hex.h"
#include "targets/patch.h"
#include "targets/target.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpfaot/abi.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kLimit = 10; // seconds that one attempt may take
constexpr unsigned kCapSysPtrace = 19;

int result_of(int64_t result) { return result < 0 ? errno : 0; }

std::string text_file(const std::string& path) {
  const auto bytes = read_file(path, 1u << 20);
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

std::string first_line(const std::string& path) {
  std::string text = text_file(path);
  return text.substr(0, text.find('\n'));
}

// The word behind "\nKEY:" of /proc/PID/status.
std::string status_field(const std::string& key) {
  const std::string text = "\n" + text_file("/proc/self/status");
  const size_t at = text.find("\n" + key + ":");
  if (at == std::string::npos)
    return {};
  const size_t from = text.find_first_not_of(" \t", at + key.size() + 2);
  return from == std::string::npos ? std::string() : text.substr(from, text.find('\n', from) - from);
}

// Waits for `pid` to stop; false when it ended.
bool wait_stop(pid_t pid) {
  int status = 0;
  return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

void end_child(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, __WALL);
}

// Forks a child that sleeps and lets `use` do something to it.
int with_child(const std::function<int(pid_t)>& use) {
  const pid_t child = fork();
  if (child < 0)
    return errno;
  if (child == 0) {
    alarm(kLimit);
    for (;;)
      pause();
  }
  const int result = use(child);
  end_child(child);
  return result;
}

int try_trace_child() {
  return with_child([](pid_t child) {
    if (ptrace(PTRACE_SEIZE, child, nullptr, nullptr) != 0 || ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr) != 0)
      return errno;
    if (!wait_stop(child))
      return ECHILD;
    return result_of(ptrace(PTRACE_DETACH, child, nullptr, nullptr));
  });
}

// A process of the same user that descends from another: what attaching is about. Yama's first level
// and above forbid just this one.
int try_trace_other() {
  int pipes[2];
  if (pipe(pipes) != 0)
    return errno;
  const pid_t middle = fork();
  if (middle < 0)
    return errno;
  if (middle == 0) {
    const pid_t other = fork();
    if (other != 0) {
      (void)!write(pipes[1], &other, sizeof other);
      _exit(0);
    }
    alarm(kLimit);
    for (;;)
      pause();
  }
  waitpid(middle, nullptr, 0); // now the other one has another parent
  pid_t other = 0;
  if (read(pipes[0], &other, sizeof other) != sizeof other || other <= 0)
    return ECHILD;
  int result = result_of(ptrace(PTRACE_SEIZE, other, nullptr, nullptr));
  if (result == 0 && ptrace(PTRACE_INTERRUPT, other, nullptr, nullptr) == 0 && wait_stop(other))
    result = result_of(ptrace(PTRACE_DETACH, other, nullptr, nullptr));
  kill(other, SIGKILL);
  return result;
}

// Into code, which is mapped without the right to write.
int try_write_code() {
  return with_child([](pid_t child) {
    if (ptrace(PTRACE_SEIZE, child, nullptr, nullptr) != 0 || ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr) != 0)
      return errno;
    if (!wait_stop(child))
      return ECHILD;
    const int fd = open(("/proc/" + std::to_string(child) + "/mem").c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0)
      return errno;
    const auto address = reinterpret_cast<uintptr_t>(&attempted);
    uint8_t bytes[4];
    if (pread(fd, bytes, sizeof bytes, static_cast<off_t>(address)) != sizeof bytes)
      return errno;
    return result_of(pwrite(fd, bytes, sizeof bytes, static_cast<off_t>(address)));
  });
}

int try_read_child() {
  return with_child([](pid_t child) {
    uint64_t value = 0;
    iovec local{&value, sizeof value}, remote{reinterpret_cast<void*>(const_cast<int*>(&kLimit)), sizeof kLimit};
    return result_of(process_vm_readv(child, &local, 1, &remote, 1, 0));
  });
}

int try_executable_file() {
  const int fd = memfd_create("bpf-aot-doctor", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, 4096) != 0)
    return errno;
  return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ||
                 mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED
             ? errno
             : 0;
}

int try_executable_anonymous() {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? errno : result_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

int try_sealed_file() {
  const int fd = memfd_create("bpf-aot-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, 4096) != 0)
    return errno;
  return result_of(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
}

int try_robust_list() {
  void* head = nullptr;
  size_t size = 0;
  return result_of(syscall(SYS_get_robust_list, 0, &head, &size)) != 0 ? errno
                                                                       : result_of(syscall(SYS_set_robust_list, head, size));
}

int try_pidfd() {
  return with_child([](pid_t child) {
    const auto fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
    return fd < 0 ? errno : result_of(syscall(SYS_pidfd_getfd, fd, 0, 0));
  });
}

// A finding from an attempt: `ok` when it worked.
Finding from_attempt(std::string_view name, int result, Health otherwise, NeededBy needed_by, std::string consequence) {
  if (result == 0)
    return {name, Health::ok, needed_by, "works", ""};
  return {name, otherwise, needed_by, attempt_text(result), std::move(consequence)};
}

void add_system(std::vector<Finding>& list) {
  utsname names{};
  uname(&names);
  unsigned major = 0, minor = 0;
  std::sscanf(names.release, "%u.%u", &major, &minor);
  const bool is_old = major < 5 || (major == 5 && minor < 6);
  list.push_back({"kernel", is_old ? Health::limited : Health::ok, kNobody, names.release,
                  is_old ? "nothing before 5.6 is tested; pidfd_getfd is missing" : ""});
  list.push_back({"machine", Health::ok, kNeededByBoth, std::string(targets::host().name), ""});
  const long page = sysconf(_SC_PAGESIZE);
  list.push_back({"page-size", page == 4096 ? Health::ok : Health::no, kNeededByBoth, std::to_string(page),
                  page == 4096 ? "" : "4096 bytes are needed"});
  const std::string capabilities = status_field("CapEff");
  const bool can_all = ((std::strtoull(capabilities.c_str(), nullptr, 16) >> kCapSysPtrace) & 1) != 0;
  list.push_back({"user", can_all ? Health::ok : Health::limited, kNobody,
                  "uid " + std::to_string(geteuid()) + (can_all ? ", CAP_SYS_PTRACE" : ""),
                  can_all ? "" : "without CAP_SYS_PTRACE only processes of this user can be attached to"});
}

void add_tracing(std::vector<Finding>& list) {
  const int traced = attempted(try_trace_child);
  list.push_back(from_attempt("ptrace-child", traced, Health::no, kNeededByBoth,
                              "no process can be traced: a container or a seccomp filter forbids ptrace"));
  const std::string scope = first_line("/proc/sys/kernel/yama/ptrace_scope");
  Finding other = from_attempt("ptrace-other", attempted(try_trace_other), Health::no, kNeededByAttach,
                               "processes that bpf-aot has not started cannot be attached to");
  if (!scope.empty())
    other.value += ", kernel.yama.ptrace_scope is " + scope;
  if (other.health != Health::ok && (scope == "1" || scope == "2"))
    other.consequence += ": use `bpf-aot run`, CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 0";
  list.push_back(std::move(other));
  list.push_back(traced != 0 ? Finding{"write-code", Health::no, kNeededByBoth, "not tried", "it needs ptrace"}
                             : from_attempt("write-code", attempted(try_write_code), Health::no, kNeededByBoth,
                                            "/proc/PID/mem does not reach read-only memory (proc_mem.force_override?)"));
  list.push_back(from_attempt("read-memory", attempted(try_read_child), Health::limited, kNobody,
                              "process_vm_readv is refused: a process under the same rules reads user memory slower, or gets -EFAULT"));
  list.push_back(from_attempt("pidfd", attempted(try_pidfd), Health::no, kNeededByBoth,
                              "pidfd_open or pidfd_getfd is refused: the end of a process cannot be waited for"));
}

void add_memory(std::vector<Finding>& list) {
  list.push_back(from_attempt("executable-file", attempted(try_executable_file), Health::no, kNeededByBoth,
                              "memory files cannot be mapped executable (SELinux, or a seccomp filter)"));
  list.push_back(from_attempt("executable-anonymous", attempted(try_executable_anonymous), Health::limited, kNobody,
                              "written memory cannot be made executable (execmem, PaX, MDWE); bpf-aot does not need it"));
  list.push_back(from_attempt("sealed-file", attempted(try_sealed_file), Health::no, kNeededByBoth,
                              "memory files cannot be sealed: what has been checked could be changed"));
  list.push_back(from_attempt("robust-list", attempted(try_robust_list), Health::limited, kNobody,
                              "a session whose bpf-aot is killed goes on counting"));
  const std::string mode = status_field("Seccomp");
  list.push_back({"seccomp", mode.empty() || mode == "0" ? Health::ok : Health::limited, kNobody,
                  mode.empty() ? "not built in" : mode == "0" ? "off" : mode == "1" ? "strict" : "a filter",
                  mode.empty() || mode == "0" ? "" : "commands that `run` starts inherit the filter"});
  const int64_t barriers = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  const bool synchronises = barriers > 0 && (barriers & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) != 0;
  list.push_back({"membarrier", synchronises ? Health::ok : Health::limited, kNobody,
                  barriers < 0 ? attempt_text(errno) : "commands " + hex(static_cast<uint64_t>(barriers)),
                  synchronises ? "" : "no SYNC_CORE; bpf-aot does not need it, it stops all threads for the moment of a change"});
}

// What the C library of this process has registered; older ones do not say.
extern "C" {
extern const unsigned int __rseq_size __attribute__((weak));
extern const ptrdiff_t __rseq_offset __attribute__((weak));
}

void add_processor(std::vector<Finding>& list) {
  const bool registered = &__rseq_size != nullptr && __rseq_size != 0;
  list.push_back({"rseq", registered ? Health::ok : Health::limited, kNobody,
                  registered ? "registered by the C library at offset " + std::to_string(__rseq_offset)
                             : std::string("not registered by the C library of bpf-aot"),
                  registered ? "" : "the processor's number comes from elsewhere"});
  const targets::ProcessFacts facts = targets::host_patcher().facts(getauxval(AT_HWCAP2));
  const bool by_call = facts.cpu_method == BPFAOT_CPU_SYSCALL;
  list.push_back({"cpu-number", by_call ? Health::limited : Health::ok, kNobody,
                  by_call ? "getcpu" : facts.cpu_method == BPFAOT_CPU_RDPID ? "rdpid" : "rseq",
                  by_call ? "each hit of a program with per-CPU maps makes a system call" : ""});
  const bool slow = facts.thread_method == BPFAOT_THREAD_SYSCALL;
  list.push_back({"thread-pointer", slow ? Health::limited : Health::ok, kNobody, slow ? "a system call" : "a register",
                  slow ? "each hit of a return probe makes a system call" : ""});
  const std::string cpu = text_file("/proc/cpuinfo") + " ";
  std::string found;
  for (const std::string_view feature : {"fsgsbase", "rdpid", "user_shstk", "ibt", "paca", "bti", "gcs", "zicfilp", "zicfiss"})
    if (cpu.find(" " + std::string(feature) + " ") != std::string::npos || cpu.find(" " + std::string(feature) + "\n") != std::string::npos)
      found += (found.empty() ? "" : " ") + std::string(feature);
  list.push_back({"cpu-features", Health::ok, kNobody, found.empty() ? "none of those that matter" : found, ""});
  const std::string shadow = status_field("x86_Thread_features");
  const bool has_shadow_stack = shadow.find("shstk") != std::string::npos;
  list.push_back({"shadow-stack", has_shadow_stack ? Health::limited : Health::ok, kNobody, has_shadow_stack ? "on" : "off",
                  has_shadow_stack ? "exceptions that pass return probes are not tested with it" : ""});
}

void add_surroundings(std::vector<Finding>& list) {
  const Result<Registry> registry = Registry::open();
  list.push_back({"sessions", registry ? Health::ok : Health::no, kNeededByAttach, registry ? "works" : registry.error().message,
                  registry ? "" : "`list`, `detach` and `map dump` do not find sessions, and attach refuses"});
  std::string runners;
  const char* path = std::getenv("PATH");
  for (const targets::Target* target : targets::all()) {
    if (target == &targets::host() || path == nullptr)
      continue;
    const std::string name = "qemu-" + std::string(target->name), folders = path;
    for (size_t at = 0; at <= folders.size();) {
      const size_t end = std::min(folders.find(':', at), folders.size());
      if (end > at && access((folders.substr(at, end - at) + "/" + name).c_str(), X_OK) == 0) {
        runners += (runners.empty() ? "" : " ") + name;
        break;
      }
      at = end + 1;
    }
  }
  list.push_back({"qemu-user", runners.empty() ? Health::limited : Health::ok, kNobody, runners.empty() ? "not installed" : runners,
                  runners.empty() ? "`test-run` runs images of this machine only" : ""});
}

} // namespace

std::string_view health_text(Health health) {
  return health == Health::ok ? "ok" : health == Health::limited ? "limited" : "no";
}

int attempted(const std::function<int()>& attempt) {
  const pid_t child = fork();
  if (child < 0)
    return errno;
  if (child == 0) {
    alarm(kLimit);
    _exit(std::min(attempt(), 255)); // errno values are below that
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return errno;
  return WIFSIGNALED(status) ? kKilled + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string attempt_text(int result) {
  if (result == 0)
    return "works";
  if (result == kKilled + SIGALRM)
    return "does not come to an end";
  return result >= kKilled ? "killed by signal " + std::to_string(result - kKilled) : std::strerror(result);
}

std::vector<Finding> examine_machine() {
  std::vector<Finding> list;
  add_system(list);
  add_tracing(list);
  add_memory(list);
  add_processor(list);
  add_surroundings(list);
  return list;
}

} // namespace bpfaot::loader
