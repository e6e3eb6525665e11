// SPDX-License-Identifier: MIT
//
// bpf-aot run: a command with probes in it from its first instruction on. The executable's are put
// in at the stop behind exec, its libraries' before their constructors run; then the command runs
// free of the tracer and the exit status is its own.
#include "loader/verbs/run.h"

#include "loader/dynlink.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

// The two stops of a start. Wishes whose file is not mapped at the first one wait for the second.
class Launch {
public:
  Launch(Watch& watch, const Console& console) : watch_(watch), console_(console) {}

  Status run(Process& process) {
    TRY(stage(process, true));
    const Startup startup = TRY(run_to_consistent(process));
    if (startup == Startup::exited) {
      return {};
    }
    return stage(process, false);
  }
  const Plan& plan() const { return all_; }
  std::unique_ptr<Attachment> attachment;

private:
  // At the first stop, only what belongs to the executable; at the second the rest. The guards of
  // unwinders are planned with the first return probe that is seen with all libraries there.
  Status stage(Process& process, bool first) {
    Modules modules = TRY(Modules::read(process));
    std::vector<ProbeWish> now;
    const Module* main = modules.executable();
    const bool dynamic = main != nullptr && !main->elf().interpreter().empty();
    for (size_t i = 0; i < watch_.wishes().size(); ++i) {
      const ProbeWish& wish = watch_.wishes()[i];
      // Decided at the first stop and kept: what was not mapped then is mapped at the second one.
      if (first) {
        early_.push_back(!dynamic || (modules.is_mapped(wish.spec.path) && !has_return(wish.spec.path)));
      }
      if (first == early_[i]) {
        now.push_back(wish);
      }
    }
    if (now.empty()) {
      return {};
    }
    Plan plan = make_plan(process, modules, watch_.patcher(), now);
    if (!watch_.dry_run() && !plan.sites.empty()) {
      TRY(attach(process, plan));
    }
    all_.rows.insert(all_.rows.end(), plan.rows.begin(), plan.rows.end());
    return {};
  }

  // Entry and return probes of one place share a trampoline, so they go in together.
  bool has_return(const std::string& path) const {
    return std::any_of(watch_.wishes().begin(), watch_.wishes().end(),
                       [&](const ProbeWish& wish) { return wish.spec.is_return && wish.spec.path == path; });
  }

  Status attach(Process& process, Plan& plan) {
    if (!attachment) {
      attachment = TRY(Attachment::create(process, watch_.image(), watch_.session(), watch_.patcher(), plan));
    }
    return attachment->patch(process, watch_.image(), plan);
  }

  Watch& watch_;
  const Console& console_;
  std::vector<bool> early_; // by wish
  Plan all_;
};

// Ends a command that has not run a single instruction of its own.
Failure abandon(Process& process, Failure why) {
  if (!process.has_exited()) {
    kill(process.pid(), SIGKILL);
    process.detach();
    waitpid(process.pid(), nullptr, 0);
  }
  return why;
}

// The exit status belongs to the command, also when nobody could read what was observed.
void show_end(Watch& watch, const Launch& launch, const Console& console) {
  const Status shown = watch.finish(launch.attachment ? launch.attachment->missed() : MissedCounts{});
  if (!shown) {
    console.report(shown.error());
  }
}

Result<int> observe(Process& process, Watch& watch, Launch& launch, SignalReader& signals, const Console& console) {
  const int pid = process.pid();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (launch.attachment) {
    const Result<uint32_t> id = watch.enlist(process, *launch.attachment);
    if (!id) { // the command can still be observed, only not detached from outside
      Diagnostic warning = id.error();
      warning.level = Level::warning;
      console.report(warning);
    }
  }
  process.detach();
  Ended ended = watch_until(watch, signals, pidfd.get(), pid);
  Detached out;
  if (ended == Ended::detach && launch.attachment) {
    out = detach_everywhere(pid, watch.patcher(), launch.attachment->runtime_inode(), launch.attachment->patches());
  }
  watch.delist(out);
  if (ended == Ended::process) {
    const int status = TRY(wait_for_end(pid));
    show_end(watch, launch, console);
    return status;
  }
  show_end(watch, launch, console);
  while (watch_until(watch, signals, pidfd.get(), pid) != Ended::process) {
  }
  return wait_for_end(pid);
}

} // namespace

Result<int> run_run(const ParsedArguments& arguments, const Console& console) {
  if (arguments.rest.empty()) {
    return fail(Code::kUsage, "run needs a command: bpf-aot run PROBE.so -- COMMAND…");
  }
  if (arguments.has(kPreloadOption)) {
    return run_preloaded(arguments, console);
  }
  const std::unique_ptr<Watch> watch = TRY(Watch::open(arguments, console));
  Result<Process> started = Process::start(arguments.rest, watch->patcher());
  if (!started) {
    const int status = exec_failure_status(started.error());
    if (status == 0) {
      return std::move(started).take_error();
    }
    console.report(started.error());
    return status;
  }
  Process& process = *started;
  SignalReader signals = TRY(SignalReader::create());
  std::signal(SIGPIPE, SIG_IGN);
  Launch launch(*watch, console);
  Status launched = launch.run(process);
  if (launched && process.has_exited()) {
    show_end(*watch, launch, console);
    return shell_status(process.exit_status());
  }
  if (watch->dry_run() && launched) {
    (void)abandon(process, fail(Code::kInternal, ""));
    print_dry_run(launch.plan(), watch->image(), watch->json(), console);
    return 0;
  }
  Status wanted = launched ? check_plan(launch.plan()) : std::move(launched);
  if (!wanted) {
    if (launch.plan().refused() > 1) { // the error tells one reason, each program may have its own
      report_refusals(launch.plan(), console, watch->names());
    }
    return abandon(process, std::move(wanted).take_error());
  }
  report_refusals(launch.plan(), console, watch->names());
  return observe(process, *watch, launch, signals, console);
}

} // namespace bpfaot::loader
