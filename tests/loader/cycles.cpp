// SPDX-License-Identifier: MIT
//
// cycles PID PROBE FILE CYCLES: attaches to work() of FILE in a process and detaches, again and again.
// After each cycle: every caller was seen without a gap, at entry and at return; the process has mapped
// what it had before. Prints what it did and how long it took; exit status 1 at the first mistake.
// With "broken" instead of a number a site does not take its jump: the attachment fails, and what it had
// mapped goes with the next one.
// With "killed" instead of a number the loader is a child that attaches and is killed: the programs must
// have run before, and must not run any more.
#include "loader/inject.h"
#include "loader/modules.h"
#include "loader/process.h"
#include "loader/restore.h"
#include "loader/watch.h"
#include "targets/target.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace {

using namespace bpfaot;
using namespace bpfaot::loader;

struct Row {
  uint64_t count, first, last;
};
constexpr size_t kCallers = 200; // those whose numbers run on; children count from 0 each

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

void pause_ms(long time) {
  const timespec pause{0, time * 1'000'000};
  nanosleep(&pause, nullptr);
}

struct Totals {
  uint64_t entered = 0, returned = 0, missed = 0, kept = 0;
  std::vector<double> attach, detach;
};

// What is mapped but for stacks, heaps and memory of threads that come and go: files.
std::vector<std::string> files_of(int pid) {
  std::vector<std::string> list;
  if (const Result<std::vector<MapsEntry>> maps = read_maps(pid)) {
    for (const MapsEntry& entry : *maps) {
      if (!entry.path.empty() && entry.path[0] == '/') {
        list.push_back(std::to_string(entry.start) + " " + entry.path);
      }
    }
  }
  return list;
}

Status check(const Image& image, const Session& session, const char* name, uint64_t* total) {
  for (const bpfaot_variable& variable : image.variables()) {
    if (image.string(variable.name) != name) {
      continue;
    }
    const std::span<const uint8_t> bytes = session.variable_bytes(variable);
    for (size_t caller = 0; caller < kCallers; ++caller) {
      Row row{};
      std::memcpy(&row, bytes.data() + caller * sizeof row, sizeof row);
      if (row.count != 0 && row.count != row.last - row.first + 1) {
        return fail(Code::kInternal, std::string(name) + ": caller " + std::to_string(caller) + " was seen " +
                                         std::to_string(row.count) + " times from " + std::to_string(row.first) + " to " +
                                         std::to_string(row.last));
      }
      *total += row.count;
    }
    return {};
  }
  return fail(Code::kInternal, std::string("the probe has no variable ") + name);
}

Status cycle(int pid, const Image& image, const targets::Patcher& patcher, const Plan& plan, Totals& totals) {
  const Session session = TRY(Session::create(image, {}));
  Plan now = plan;
  const double start = now_us();
  std::unique_ptr<Attachment> attachment;
  {
    Process process = TRY(Process::open(pid, patcher));
    attachment = TRY(Attachment::create(process, image, session, patcher, now));
    TRY(attachment->patch(process, image, now));
  }
  totals.attach.push_back(now_us() - start);
  if (now.refused() != 0 || attachment->patches().empty()) {
    return fail(Code::kAttachNone, "a probe was refused");
  }
  if (totals.attach.size() % 16 == 0) { // mostly there is no time in between
    pause_ms(1);
  }
  const double middle = now_us();
  Process process = TRY(Process::open(pid, patcher));
  const Restored restored = TRY(restore_sites(process, patcher, attachment->patches()));
  TRY(sweep_abandoned(process, patcher));
  process.detach();
  totals.detach.push_back(now_us() - middle);
  totals.kept += !restored.unmapped;
  totals.missed += attachment->missed().entries;
  TRY(check(image, session, "entered", &totals.entered));
  return check(image, session, "returned", &totals.returned);
}

Status killed(int pid, const Image& image, const targets::Patcher& patcher, const Plan& plan) {
  const Session session = TRY(Session::create(image, {})); // its memory is shared with the child
  uint64_t entered = 0, later = 0, returned = 0, returned_later = 0;
  const pid_t child = fork();
  if (child == 0) {
    Plan now = plan;
    Result<Process> process = Process::open(pid, patcher);
    auto attachment = process ? Attachment::create(*process, image, session, patcher, now)
                              : fail(Code::kInternal, "the process cannot be opened");
    if (attachment && (*attachment)->patch(*process, image, now)) {
      while (entered == 0) {
        pause_ms(2);
        (void)check(image, session, "entered", &entered);
      }
      kill(getpid(), SIGKILL);
    }
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) {
    return fail(Code::kInternal, "the child did not attach");
  }
  pause_ms(50); // programs that had begun end
  TRY(check(image, session, "entered", &entered));
  TRY(check(image, session, "returned", &returned));
  pause_ms(100);
  TRY(check(image, session, "entered", &later));
  TRY(check(image, session, "returned", &returned_later));
  if (entered == 0 || entered != later || returned != returned_later) {
    return fail(Code::kInternal, "entered " + std::to_string(entered) + " times, a little later " + std::to_string(later));
  }
  return {};
}

// A process, in which what a test overrides goes another way.
class Relay : public LiveSpace {
public:
  explicit Relay(Process& process) : process_(process) {}
  int pid() const override { return process_.pid(); }
  Status read(uint64_t address, std::span<uint8_t> out) override { return process_.read(address, out); }
  Status write(uint64_t address, std::span<const uint8_t> bytes) override { return process_.write(address, bytes); }
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls, std::span<const SharedFile> files) override {
    return process_.system_calls(calls, files);
  }
  Status hold() override { return process_.hold(); }
  void release(bool keep) override { process_.release(keep); }
  Result<std::vector<MapsEntry>> mapped() override { return process_.mapped(); }
  Result<std::vector<Leave>> leave(std::span<const CoveredCode> codes) override { return process_.leave(codes); }
  Result<bool> refers_to(std::span<const CodeRange> ranges) override { return process_.refers_to(ranges); }
  Result<bool> executes(std::span<const CodeRange> ranges) override { return process_.executes(ranges); }

protected:
  Process& process_;
};

// One site, when it is read back, does not hold what was written.
class Broken final : public Relay {
public:
  Broken(Process& process, uint64_t site) : Relay(process), site_(site) {}
  Status read(uint64_t address, std::span<uint8_t> out) override {
    Status status = process_.read(address, out);
    if (address == site_ && std::exchange(is_written_, false)) {
      out[0] ^= 1;
    }
    return status;
  }
  Status write(uint64_t address, std::span<const uint8_t> bytes) override {
    is_written_ |= address == site_;
    return process_.write(address, bytes);
  }

private:
  uint64_t site_;
  bool is_written_ = false;
};

// Others map something just before us wherever we want to within some distance of the sites.
class Crowded final : public Relay {
public:
  Crowded(Process& process, const Plan& plan) : Relay(process), plan_(plan) {}
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls, std::span<const SharedFile> files) override {
    for (const SystemCall& call : calls) {
      if (call.number == SYS_mmap && is_crowded(call.args[0])) {
        TRY(process_.system_call(SYS_mmap, {call.args[0], 4096, PROT_NONE, kPrivateThere, ~uint64_t{0}, 0}));
        taken_.push_back(call.args[0]);
      }
    }
    return process_.system_calls(calls, files);
  }
  Status clear() {
    for (const uint64_t address : taken_) {
      TRY(process_.system_call(SYS_munmap, {address, 4096}));
    }
    return {};
  }
  size_t refusals() const { return taken_.size(); }

private:
  static constexpr uint64_t kPrivateThere = MAP_PRIVATE | MAP_ANONYMOUS | 0x100000; // MAP_FIXED_NOREPLACE
  bool is_crowded(uint64_t address) const {
    return std::any_of(plan_.sites.begin(), plan_.sites.end(), [address](const PlannedSite& site) {
      return (address > site.address ? address - site.address : site.address - address) < (64u << 20);
    });
  }

  const Plan& plan_;
  std::vector<uint64_t> taken_;
};

// Everything that was mapped is gone, when need be after some time.
bool is_gone(int pid, const targets::Patcher& patcher, const std::vector<std::string>& before) {
  for (int wait = 0; files_of(pid) != before && wait < 200; ++wait) {
    Result<Process> process = Process::open(pid, patcher);
    if (process) {
      (void)sweep_abandoned(*process, patcher);
    }
    pause_ms(5);
  }
  return files_of(pid) == before;
}

Status broken(int pid, const Image& image, const targets::Patcher& patcher, const Plan& plan) {
  const std::vector<std::string> before = files_of(pid);
  const Session session = TRY(Session::create(image, {}));
  for (int round = 0; round < 20; ++round) {
    Plan now = plan;
    Process process = TRY(Process::open(pid, patcher));
    Broken space(process, plan.sites.back().cover.patch_pc);
    const std::unique_ptr<Attachment> attachment = TRY(Attachment::create(space, image, session, patcher, now));
    if (attachment->patch(space, image, now) || !attachment->patches().empty()) {
      return fail(Code::kInternal, "a jump that is not there was taken for one");
    }
    attachment->undo(space);
  }
  return is_gone(pid, patcher, before) ? Status() : Status(fail(Code::kInternal, "what failed has left something"));
}

Status crowded(int pid, const Image& image, const targets::Patcher& patcher, const Plan& plan) {
  const Session session = TRY(Session::create(image, {}));
  Process process = TRY(Process::open(pid, patcher));
  Plan now = plan;
  Crowded space(process, plan);
  const std::unique_ptr<Attachment> attachment = TRY(Attachment::create(space, image, session, patcher, now));
  TRY(attachment->prepare(space, image, now)); // nothing is patched
  attachment->undo(space);
  TRY(space.clear());
  return space.refusals() != 0 ? Status() : Status(fail(Code::kInternal, "no place was refused"));
}

Status run(int pid, const char* probe, const std::string& file, const char* cycles, Totals& totals) {
  const Image image = TRY(open_image(probe));
  const targets::Patcher* patcher = &targets::host_patcher();
  std::vector<std::string> unattached;
  const std::vector<ProbeWish> wishes =
      TRY(make_wishes(image, {"on_entry=uprobe:" + file + ":work", "on_return=uretprobe:" + file + ":work"}, unattached));
  Plan plan;
  {
    Process process = TRY(Process::open(pid, *patcher));
    Modules modules = TRY(Modules::read(process));
    plan = make_plan(process, modules, *patcher, wishes);
  }
  if (std::strcmp(cycles, "killed") == 0) {
    return killed(pid, image, *patcher, plan);
  }
  if (std::strcmp(cycles, "broken") == 0) {
    return broken(pid, image, *patcher, plan);
  }
  if (std::strcmp(cycles, "crowded") == 0) {
    return crowded(pid, image, *patcher, plan);
  }
  const std::vector<std::string> before = files_of(pid);
  for (int i = 0; i < std::atoi(cycles); ++i) {
    TRY(cycle(pid, image, *patcher, plan, totals));
  }
  if (!is_gone(pid, *patcher, before)) { // with what a thread was still in
    for (const std::string& line : files_of(pid)) {
      std::printf("left %s\n", line.c_str());
    }
    return fail(Code::kInternal, "the process has mapped something else than before");
  }
  return {};
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    return 2;
  }
  Totals totals;
  const Status status = run(std::atoi(argv[1]), argv[2], argv[3], argv[4], totals);
  for (std::vector<double>* list : {&totals.attach, &totals.detach}) {
    std::sort(list->begin(), list->end());
    if (!list->empty()) {
      std::printf("%s us: least %.0f median %.0f; ", list == &totals.attach ? "attach" : "detach", list->front(), (*list)[list->size() / 2]);
    }
  }
  std::printf("cycles %zu entered %llu returned %llu missed %llu kept-for-later %llu\n", totals.detach.size(),
              static_cast<unsigned long long>(totals.entered), static_cast<unsigned long long>(totals.returned),
              static_cast<unsigned long long>(totals.missed), static_cast<unsigned long long>(totals.kept));
  if (!status) {
    std::printf("FAIL: %s\n", status.error().message.c_str());
    return 1;
  }
  return totals.missed == 0 ? 0 : 1;
}
