// SPDX-License-Identifier: MIT
//
// Seizing, holding and letting go; memory. What threads are made to do is in process_calls.cpp and
// remote_calls.cpp.
#include "loader/process.h"

#include "loader/process_loan.h"
#include "support/hex.h"

#include <elf.h>
#include <fcntl.h>
#include <sched.h>
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
constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kPatience = 10'000 * kMillisecond; // for threads that wait in the kernel
constexpr uint64_t kLate = 5 * kMillisecond;          // after which such a thread is let be for now
constexpr uint64_t kBrief = kMillisecond / 10;
constexpr uint64_t kLook = 2'000;

std::string errno_text() { return std::strerror(errno); }

// ELF class of the running executable: a 32-bit process has another system call ABI.
bool is_32_bit(int pid) {
  const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  unsigned char head[EI_NIDENT] = {};
  return pread(file.get(), head, sizeof head, 0) == ssize_t(sizeof head) && head[EI_CLASS] == ELFCLASS32;
}

int event_of(int status) { return status >> 16; }

uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

void sleep_ns(uint64_t time) {
  const timespec pause{time_t(time / 1'000'000'000), long(time % 1'000'000'000)};
  nanosleep(&pause, nullptr);
}

// A thread's stop is told by SIGCHLD. Blocked, it can be waited for with a limit.
class StopSignals {
public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set_, &old_);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  void wait(uint64_t time) const {
    const timespec limit{0, long(time)};
    sigtimedwait(&set_, nullptr, &limit);
  }

private:
  sigset_t set_, old_;
};

} // namespace

Process::Process(int pid, const targets::Patcher& patcher) : pid_(pid), patcher_(&patcher) {
  cpu_set_t allowed;
  has_processors_ = sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1;
}

Process::Process(Process&& other) noexcept
    : pid_(other.pid_), patcher_(other.patcher_), memory_(std::move(other.memory_)),
      threads_(std::move(other.threads_)), loan_(std::move(other.loan_)), maps_(std::move(other.maps_)),
      syscall_insn_(other.syscall_insn_), is_child_(other.is_child_), stays_(other.stays_),
      has_processors_(other.has_processors_), has_exited_(other.has_exited_), seccomp_(other.seccomp_),
      seccomp_suspended_(other.seccomp_suspended_), exit_status_(other.exit_status_) {
  other.threads_.clear();
}

Process::~Process() { detach(); }

Failure Process::gone() const {
  return fail(Code::kProcessGone, "process " + std::to_string(pid_) + " has ended");
}

Failure Process::denied(const std::string& why) const {
  return Failure(make_error(Code::kProcessDenied, "process " + std::to_string(pid_) + " may not be traced: " + why)
                     .hint("the process must be this user's and dumpable; where "
                           "kernel.yama.ptrace_scope is not 0, only a parent or root may attach"));
}

Result<Process> Process::open(int pid, const targets::Patcher& patcher) {
  Process process(pid, patcher);
  TRY(process.check_tracing());
  TRY(process.open_memory());
  return process;
}

Result<Process> Process::attach(int pid, const targets::Patcher& patcher) {
  Process process = TRY(open(pid, patcher));
  TRY(process.hold());
  return process;
}

Status Process::check_tracing() {
  const std::string who = "process " + std::to_string(pid_);
  if (pid_ == getpid())
    return fail(Code::kProcessSelf, who + " is bpf-aot itself");
  ProcessStatus status = TRY(read_status(pid_));
  // Another bpf-aot needs it for a moment only.
  for (int wait = 0; status.tracer != 0 && wait < 200; ++wait) {
    sleep_ns(kMillisecond);
    status = TRY(read_status(pid_));
  }
  if (status.state == 'Z' || status.state == 'X')
    return fail(Code::kProcessGone, who + " has ended"); // or its first thread: then /proc shows no memory
  if (status.tgid != pid_)
    return fail(Code::kProcessGone, std::to_string(pid_) + " is a thread of process " + std::to_string(status.tgid));
  if (status.tracer != 0)
    return fail(Code::kProcessTraced, who + " is traced by process " + std::to_string(status.tracer));
  if (is_32_bit(pid_))
    return fail(Code::kProcess32, who + " runs a 32-bit program");
  seccomp_ = status.seccomp != 0;
  return {};
}

Result<bool> Process::seize(int tid) {
  if (ptrace(PTRACE_SEIZE, tid, nullptr, kOptions) != 0) {
    if (errno == ESRCH)
      return false; // ended meanwhile
    // EPERM is also what the kernel says of a thread that it has seized for us already.
    const std::string why = errno_text();
    const auto status = read_status(tid);
    if (!status || status->state == 'Z' || status->state == 'X')
      return false;
    if (status->tracer != 0 && status->tracer != gettid())
      return fail(Code::kProcessTraced,
                  "process " + std::to_string(pid_) + " is traced by process " + std::to_string(status->tracer));
    if (status->tracer == 0)
      return denied(why);
  }
  threads_.push_back({tid, false});
  return true;
}

// Stops the leader. Others that we have from before may run, or end.
Status Process::seize_leader() {
  const uint64_t start = now_ns();
  const auto index = [&] {
    return size_t(std::find_if(threads_.begin(), threads_.end(), [&](const Thread& thread) { return thread.tid == pid_; }) -
                  threads_.begin());
  };
  while (index() == threads_.size()) {
    const Result<bool> seized = seize(pid_);
    if (seized && !*seized)
      return gone();
    if (!seized && (seized.error().code != Code::kProcessTraced || now_ns() - start > 1000 * kMillisecond))
      return Status(fail(seized.error().code, seized.error().message));
    if (!seized)
      sleep_ns(kMillisecond); // another bpf-aot is at work
  }
  ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
  while (!TRY(wait_for_stop(index()))) {
    if (index() == threads_.size())
      return gone();
    if (now_ns() - start > kPatience)
      return fail(Code::kProcessBusy, "thread " + std::to_string(pid_) + " waits in the kernel and cannot be stopped");
  }
  if (seccomp_)
    seccomp_suspended_ = ptrace(PTRACE_SETOPTIONS, pid_, nullptr, kOptions | PTRACE_O_SUSPEND_SECCOMP) == 0;
  return {};
}

// Threads may appear while the list is read, and the kernel ends a reading early when the thread it is at
// ends: repeat until there are as many threads as are stopped. Threads born from a seized one are seized by
// the kernel, so this ends; but a thread whose end another tracer has not taken notice of is counted too. The
// leader comes first: it is what two loaders would contend for.
Result<bool> Process::stop_all() {
  if (std::none_of(threads_.begin(), threads_.end(), [this](const Thread& thread) { return thread.tid == pid_; }))
    TRY(seize_leader());
  const uint64_t start = now_ns();
  for (bool found = true; found || now_ns() - start < 1000 * kMillisecond;) {
    found = false;
    for (const int tid : TRY(read_threads(pid_))) {
      const auto known = [tid](const Thread& thread) { return thread.tid == tid; };
      if (std::none_of(threads_.begin(), threads_.end(), known))
        found |= TRY(seize(tid));
    }
    if (!TRY(stop_known()))
      return false;
    if (size_t(TRY(read_status(pid_)).threads) <= threads_.size())
      break;
  }
  if (threads_.empty())
    return gone();
  return true;
}

// All interrupts are sent before the first wait, so that the threads stop together.
Result<bool> Process::stop_known() {
  for (const Thread& thread : threads_)
    if (!thread.stopped)
      ptrace(PTRACE_INTERRUPT, thread.tid, nullptr, nullptr); // fails when the thread has ended
  for (size_t i = 0; i < threads_.size();) {
    const int tid = threads_[i].tid;
    if (!threads_[i].stopped && !TRY(wait_for_stop(i)) && i < threads_.size() && threads_[i].tid == tid)
      return false;
    // wait_for_stop removes a thread that has ended.
    if (i < threads_.size() && threads_[i].tid == tid)
      ++i;
  }
  if (threads_.empty())
    return gone();
  return true;
}

void Process::forget(int tid) {
  std::erase_if(threads_, [tid](const Thread& thread) { return thread.tid == tid; });
}

Result<int> Process::ended(int tid, int status) {
  if (!WIFEXITED(status) && !WIFSIGNALED(status))
    return status;
  if (tid == pid_) {
    has_exited_ = true;
    exit_status_ = status;
  }
  forget(tid);
  return gone();
}

Result<int> Process::wait_thread(int tid) {
  int status = 0;
  while (waitpid(tid, &status, __WALL) < 0)
    if (errno != EINTR)
      return gone();
  return ended(tid, status);
}

// A stop that is about to come is looked for: to sleep and be woken takes longer than a few system calls.
// Where threads take turns on one processor it would not come meanwhile.
Result<int> Process::wait_briefly(int tid) {
  const uint64_t start = now_ns();
  for (uint64_t next = start; has_processors_ && next - start < kBrief; next += kLook) {
    while (now_ns() < next) {
    }
    int status = 0;
    const int got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid)
      return ended(tid, status);
    if (got < 0 && errno != EINTR)
      return gone();
  }
  return wait_thread(tid);
}

// Waits for its vfork child, or for a disk: an interrupt does not reach it before that is over.
bool Process::is_late(int tid) const {
  const auto status = read_status(tid);
  return status && status->state == 'D';
}

Result<int> Process::wait_thread(int tid, bool& late) {
  StopSignals signals;
  const uint64_t start = now_ns();
  for (uint64_t pause = 50'000;; pause = std::min(pause * 2, 2 * kMillisecond)) {
    int status = 0;
    const int got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid)
      return ended(tid, status);
    if (got < 0 && errno != EINTR) {
      forget(tid);
      return gone();
    }
    if (has_processors_ && now_ns() - start < kBrief / 2)
      continue; // as in wait_briefly
    if (now_ns() - start > kLate && is_late(tid)) {
      late = true;
      return 0;
    }
    signals.wait(pause);
  }
}

// Until the stop that PTRACE_INTERRUPT asked for. Other stops on the way: a signal is delivered, a
// clone event goes on (the child is seized; if it is no thread of ours it is let go). Each of them
// takes the pending interrupt away, so it is asked for again; the thread then stops before it
// executes anything of its own. False: it is late, or has ended and is forgotten.
Result<bool> Process::wait_for_stop(size_t index) {
  const int tid = threads_[index].tid;
  for (;;) {
    bool late = false;
    const auto status = wait_thread(tid, late);
    if (late)
      return false;
    if (!status) {
      if (has_exited_ || threads_.empty())
        return gone();
      return false; // one thread of several
    }
    if (event_of(*status) == kEventStop) {
      threads_[index].stopped = true;
      return true;
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

Status Process::hold() {
  TRY(give_back());
  const uint64_t start = now_ns();
  for (uint64_t pause = kMillisecond; !TRY(stop_all()); pause = std::min(pause * 2, 50 * kMillisecond)) {
    resume_all();
    if (now_ns() - start > kPatience)
      return fail(Code::kProcessBusy, "a thread of process " + std::to_string(pid_) +
                                          " waits in the kernel (for a vfork child, it seems) and cannot be stopped");
    sleep_ns(pause);
  }
  maps_ = TRY(read_maps(pid_));
  return {};
}

void Process::resume_all() {
  for (Thread& thread : threads_)
    if (thread.stopped && ptrace(PTRACE_CONT, thread.tid, nullptr, nullptr) == 0)
      thread.stopped = false;
}

// PTRACE_DETACH needs a stopped thread. One that is late stays with us until it stops.
void Process::let_go() {
  for (const Thread& thread : threads_)
    if (thread.stopped)
      ptrace(PTRACE_DETACH, thread.tid, nullptr, nullptr);
  std::erase_if(threads_, [](const Thread& thread) { return thread.stopped; });
  // Threads that were born and died unseen are ours to bury.
  int status = 0;
  while (threads_.empty() && !is_child_ && waitpid(-1, &status, WNOHANG | __WCLONE) > 0) {
  }
}

void Process::release(bool keep) {
  if (stays_)
    return;
  if (!keep) {
    (void)give_back();
    let_go();
    return;
  }
  const int kept = loan_ ? loan_->tid : pid_;
  for (const Thread& thread : threads_)
    if (thread.stopped && thread.tid != kept)
      ptrace(PTRACE_DETACH, thread.tid, nullptr, nullptr);
  std::erase_if(threads_, [kept](const Thread& thread) { return thread.stopped && thread.tid != kept; });
}

void Process::detach() {
  stays_ = false;
  if (threads_.empty())
    return;
  if (!has_exited_)
    (void)give_back();
  let_go();
  // After a failure half way some may run or be late. Whoever gets that far has failed and is about to
  // end, and the end of this process lets go what does not stop in time: it could wait for hours.
  const uint64_t start = now_ns();
  while (!threads_.empty() && !has_exited_ && now_ns() - start < 1000 * kMillisecond) {
    if (!stop_known())
      break;
    let_go();
  }
  threads_.clear();
}

Status Process::open_memory() {
  memory_.reset(::open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory_.valid())
    return denied(errno_text());
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

} // namespace bpfaot::loader
