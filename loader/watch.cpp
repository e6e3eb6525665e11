// SPDX-License-Identifier: MIT
//
// The common half of `run` and `attach`; see watch.h.
#include "loader/watch.h"

#include <dirent.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kShortest = 5, kLongest = 100; // ms between two looks at the rings

} // namespace

void report_refusals(const Plan& plan, const Console& console, const std::vector<std::string>& names) {
  for (const PlanRow& row : plan.rows) {
    if (row.refusal) {
      Diagnostic warning = *row.refusal;
      warning.level = Level::warning;
      warning.subject = names[row.wish.program] + " at " + print_attach_target(row.wish.spec);
      console.report(warning);
    }
  }
}

void print_dry_run(const Plan& plan, const Image& image, bool json, const Console& console) {
  if (!json) {
    console.print(print_plan(plan, program_names(image)));
    return;
  }
  JsonWriter writer;
  write_plan(writer, plan, program_names(image));
  console.print(writer.take() + "\n");
}

Result<SignalReader> SignalReader::create() {
  SignalReader reader;
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1}) {
    sigaddset(&set, signal);
  }
  sigprocmask(SIG_BLOCK, &set, &reader.old_);
  reader.fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!reader.fd_.valid()) {
    return fail(Code::kIo, std::string("signalfd: ") + std::strerror(errno));
  }
  return reader;
}

SignalReader::~SignalReader() {
  if (fd_.valid()) {
    sigprocmask(SIG_SETMASK, &old_, nullptr);
  }
}

int SignalReader::next() {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

Ended watch_until(Watch& watch, SignalReader& signals, int pidfd, int forward_to) {
  int wait = kShortest;
  for (;;) {
    pollfd list[2] = {{pidfd, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    poll(list, 2, wait);
    wait = watch.drain() == 0 ? std::min(kLongest, wait * 2) : kShortest;
    if ((list[0].revents & POLLIN) != 0) {
      return Ended::process;
    }
    for (int signal; (signal = signals.next()) != 0;) {
      if (signal == SIGUSR1) {
        return Ended::detach;
      }
      if (forward_to == 0) {
        return Ended::signal;
      }
      if (signal == SIGTERM || signal == SIGHUP) {
        kill(forward_to, signal);
      }
    }
  }
}

namespace {

bool maps_inode(int pid, uint64_t inode) {
  const Result<std::vector<MapsEntry>> maps = read_maps(pid);
  return maps && std::any_of(maps->begin(), maps->end(), [&](const MapsEntry& entry) {
    return entry.inode == inode && is_runtime_mapping(entry);
  });
}

std::vector<int> sharing_processes(uint64_t inode) {
  std::vector<int> pids;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = proc != nullptr ? readdir(proc) : nullptr) {
    const int pid = std::atoi(entry->d_name);
    if (pid > 0 && pid != getpid() && maps_inode(pid, inode)) {
      pids.push_back(pid);
    }
  }
  if (proc != nullptr) {
    closedir(proc);
  }
  return pids;
}

} // namespace

Detached detach_everywhere(int pid, const targets::Patcher& patcher, uint64_t runtime_inode,
                           const std::vector<SitePatch>& patches) {
  std::vector<int> pids;
  if (runtime_inode == 0) {
    pids.push_back(pid);
  }
  Detached detached;
  Status& first = detached.status;
  int looks = runtime_inode != 0 ? 8 : 0;
  for (size_t i = 0;; ++i) {
    // Again at the end: until a process's turn comes, children are born to it that share its jumps.
    if (i == pids.size() && looks-- > 0) {
      for (const int sharing : sharing_processes(runtime_inode)) {
        if (std::find(pids.begin(), pids.end(), sharing) == pids.end()) {
          pids.push_back(sharing);
        }
      }
    }
    if (i == pids.size()) {
      return detached;
    }
    const int one = pids[i];
    Result<Process> process = Process::open(one, patcher);
    if (!process) { // a child may end meanwhile
      if (one == pid && process.error().code != Code::kProcessGone) {
        first = std::move(process).take_error();
      }
      continue;
    }
    Result<Restored> restored = restore_sites(*process, patcher, patches);
    if (restored) {
      if (restored->guards_stay) {
        detached.guarded.push_back(one);
      }
      (void)sweep_abandoned(*process, patcher);
    }
    if (one != pid) {
      continue;
    }
    if (!restored && restored.error().code != Code::kProcessGone) {
      first = std::move(restored).take_error();
    } else if (restored && restored->foreign != 0) {
      first = fail(Code::kAttachBytes, std::to_string(restored->foreign) + " sites were changed by something else and are left as they are");
    }
  }
}

std::optional<SessionRecord> remainder(SessionRecord record, const Detached& detached) {
  if (detached.guarded.empty()) {
    return std::nullopt;
  }
  record.loader = {};
  record.image_fd = record.const_fd = record.data_fd = -1;
  std::erase_if(record.patches, [](const SitePatch& patch) { return !patch.is_guard; });
  const auto target = std::find(detached.guarded.begin(), detached.guarded.end(), record.target.pid);
  if (target == detached.guarded.end()) { // only in children
    const int child = detached.guarded.front();
    record.target = {child, process_start_time(child)};
  }
  return record;
}

void note_guards(const SessionRecord& rest, const Console& console) {
  std::fprintf(console.err,
               "note: calls with a return probe are active in process %d: what lets exceptions pass them stays until they "
               "have returned; detach id %u again then, or let the next attach do it\n",
               rest.target.pid, rest.id);
}

Status take_out(const SessionRecord& record, Registry& registry, const targets::Patcher& patcher) {
  Detached detached;
  if (is_alive(record.target)) {
    const uint64_t inode = runtime_inode_of(patcher, record.target.pid, record.patches);
    detached = detach_everywhere(record.target.pid, patcher, inode, record.patches);
  }
  TRY(std::move(detached.status));
  if (const std::optional<SessionRecord> rest = remainder(record, detached)) {
    return registry.update(*rest);
  }
  registry.remove(record.id);
  return {};
}

void take_out_dead(int pid, const targets::Patcher& patcher) {
  Result<Registry> registry = Registry::open();
  for (const SessionRecord& record : registry ? registry->list() : std::vector<SessionRecord>{}) {
    if (record.target.pid == pid && !is_alive(record.loader)) {
      (void)take_out(record, *registry, patcher); // what stays in the way is refused with its reason
    }
  }
}

} // namespace bpfaot::loader
