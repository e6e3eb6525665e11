// SPDX-License-Identifier: MIT
//
// bpf-aot attach: probes into a process that already runs, until it ends or somebody says stop.
#include "loader/watch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

Result<int> parse_pid(const ParsedArguments& arguments) {
  const std::string text(arguments.value(kPidOption));
  char* end = nullptr;
  const long pid = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || pid <= 0 || pid > INT32_MAX) {
    return fail(Code::kUsage, "attach needs --pid PID, '" + text + "' is none");
  }
  return static_cast<int>(pid);
}

// What the process, which runs, allows of the wishes.
Result<Plan> look(Process& process, std::vector<MapsEntry> maps, Watch& watch, const Console& console) {
  Modules modules = TRY(maps.empty() ? Modules::read(process) : Modules::of_process(process.pid(), std::move(maps)));
  Plan plan = make_plan(process, modules, watch.patcher(), watch.wishes());
  if (!watch.dry_run()) {
    report_refusals(plan, console, watch.names());
  }
  return plan;
}

Failure nothing_attached(const Plan& plan) {
  for (const PlanRow& row : plan.rows) {
    if (row.refusal) {
      return fail(row.refusal->code, "nothing could be attached: " + row.refusal->message);
    }
  }
  return fail(Code::kAttachNone, "nothing could be attached");
}

// The record comes before the first change of code: whoever finds the process patched finds it too.
Result<uint32_t> put_in(Process& process, Watch& watch, Attachment& attachment, Plan& plan) {
  TRY(attachment.prepare(process, watch.image(), plan));
  const uint32_t id = TRY(watch.enlist(process, attachment));
  Status patched = attachment.commit(process, plan);
  if (!patched || attachment.patches().empty()) {
    watch.delist();
    return patched ? nothing_attached(plan) : std::move(patched).take_error();
  }
  TRY(watch.update(attachment));
  return id;
}

} // namespace

Result<int> run_attach(const ParsedArguments& arguments, const Console& console) {
  const int pid = TRY(parse_pid(arguments));
  const std::unique_ptr<Watch> watch = TRY(Watch::open(arguments, console));
  SignalReader signals = TRY(SignalReader::create());
  std::signal(SIGPIPE, SIG_IGN); // a closed output must not leave the probes behind
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    return fail(Code::kProcessGone, "process " + std::to_string(pid) + ": " + std::strerror(errno));
  }
  std::unique_ptr<Attachment> attachment;
  {
    Process process = TRY(Process::open(pid, watch->patcher()));
    std::vector<MapsEntry> maps; // none: not known yet
    if (!watch->dry_run()) {
      take_out_dead(pid, watch->patcher());
      maps = TRY(sweep_abandoned(process, watch->patcher()));
    }
    Plan plan = TRY(look(process, std::move(maps), *watch, console));
    if (watch->dry_run()) {
      print_dry_run(plan, watch->image(), watch->json(), console);
      return 0;
    }
    if (plan.sites.empty()) {
      return nothing_attached(plan);
    }
    const size_t planned = plan.refused();
    attachment = TRY(Attachment::create(process, watch->image(), watch->session(), watch->patcher(), plan));
    const Result<uint32_t> id = put_in(process, *watch, *attachment, plan);
    if (!id) {
      attachment->undo(process);
      return fail(id.error().code, id.error().message);
    }
    process.detach();
    if (plan.refused() != planned) {
      report_refusals(plan, console, watch->names());
    }
    std::fprintf(console.err, "attached to process %d as id %u: %zu of %zu probes\n", pid, *id,
                 plan.rows.size() - plan.refused(), plan.rows.size());
    std::fflush(console.err);
  }
  const Ended ended = watch_until(*watch, signals, pidfd.get(), 0);
  Detached out;
  if (ended != Ended::process) {
    out = detach_everywhere(pid, watch->patcher(), attachment->runtime_inode(), attachment->patches());
    if (!out.status) {
      console.report(out.status.error());
    }
  }
  const std::optional<SessionRecord> rest = watch->delist(out);
  if (rest && ended == Ended::signal) { // `detach` says it itself
    note_guards(*rest, console);
  }
  TRY(watch->finish(attachment->missed()));
  return 0;
}

} // namespace bpfaot::loader
