// SPDX-License-Identifier: MIT
//
// bpf-aot run --preload: the command is started with the preload library in it, which plans, asks,
// and attaches (loader/preload/handover.h). What is shown and decided is the same as in run.cpp. No
// ptrace anywhere, except for `bpf-aot detach`.
#include "loader/foreign.h"
#include "loader/preload/handover.h"
#include "loader/preload/startable.h"
#include "loader/proc_maps.h"
#include "loader/restore.h"
#include "loader/verbs/run.h"
#include "targets/target.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <variant>

namespace bpfaot::loader {
namespace {

constexpr int kLook = 50; // ms between two looks at a command that does not answer

// The same command line for another machine's bpf-aot.
std::vector<std::string> command_line(const ParsedArguments& arguments) {
  static constexpr struct {
    int id;
    std::string_view name;
    OptionArg arg;
  } kNames[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, verbs, help) {id##Option, long_name, OptionArg::arg},
#include "loader/options.def"
#undef BPFAOT_OPTION
  };
  std::vector<std::string> words = {"run"};
  for (const ParsedOption& option : arguments.options)
    for (const auto& row : kNames)
      if (row.id == option.id)
        words.push_back("--" + std::string(row.name) + (row.arg == OptionArg::none ? "" : "=" + option.value));
  words.insert(words.end(), arguments.positional.begin(), arguments.positional.end());
  words.push_back("--");
  words.insert(words.end(), arguments.rest.begin(), arguments.rest.end());
  return words;
}

struct Command {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd socket;
  Command() = default;
  Command(Command&& other) noexcept
      : pid(std::exchange(other.pid, -1)), pidfd(std::move(other.pidfd)), socket(std::move(other.socket)) {}
  ~Command() { end(); }
  // Before it has run an instruction of its own, or when it would run without its probes.
  void end() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      pid = -1;
    }
  }
};

// What the command is started with on top of our own environment.
std::vector<std::string> preload_variables(const std::string& library, int socket) {
  const char* others = std::getenv("LD_PRELOAD");
  return {"LD_PRELOAD=" + library + (others != nullptr && *others != '\0' ? ":" + std::string(others) : ""),
          "BPFAOT_PRELOAD_FD=" + std::to_string(socket)};
}

[[noreturn]] void exec_command(const std::string& path, const std::vector<std::string>& command,
                               const std::vector<std::string>& variables, int errors) {
  std::vector<std::string> words = command;
  std::string file = path;
  if (const std::string emulator = emulator_path(); !emulator.empty()) {
    // The emulator is a program of the host: only what it emulates may get the library.
    words = {emulator};
    for (const std::string& variable : variables) {
      words.push_back("-E");
      words.push_back(variable);
    }
    words.push_back(path);
    words.insert(words.end(), command.begin() + 1, command.end());
    file = emulator;
  } else {
    for (const std::string& variable : variables) {
      const size_t equals = variable.find('=');
      setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
  }
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(file.c_str(), argv.data()); // execvp: a script without #! is the shell's
  const int error = errno;
  (void)!write(errors, &error, sizeof error);
  _exit(127);
}

// Not started: what the shell would say by its status. The diagnostic is reported here.
struct NotStarted {
  int status;
};

Result<std::variant<Command, NotStarted>> start(const std::vector<std::string>& command, const std::string& library,
                                                const Console& console) {
  const auto refuse = [&](int status, const std::string& why) {
    console.report(make_error(Code::kProcessStart, "cannot start " + command[0] + ": " + why));
    return std::variant<Command, NotStarted>(NotStarted{status});
  };
  const std::string path = find_command(command[0]);
  if (path.empty())
    return refuse(127, "command not found");
  TRY(check_loads_libraries(path));
  int sockets[2], errors[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return fail(Code::kIo, std::string("socketpair: ") + std::strerror(errno));
  Command started;
  started.socket.reset(sockets[0]);
  const UniqueFd theirs(sockets[1]);
  if (pipe2(errors, O_CLOEXEC) != 0)
    return fail(Code::kIo, std::string("pipe: ") + std::strerror(errno));
  const UniqueFd read_end(errors[0]);
  UniqueFd write_end(errors[1]);
  fflush(nullptr);
  started.pid = fork();
  if (started.pid < 0)
    return fail(Code::kProcessStart, std::string("cannot fork: ") + std::strerror(errno));
  if (started.pid == 0) {
    fcntl(theirs.get(), F_SETFD, 0);
    exec_command(path, command, preload_variables(library, theirs.get()), write_end.get());
  }
  write_end.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(read_end.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error)
    return refuse(error == ENOENT || error == ENOTDIR ? 127 : 126, std::strerror(error));
  started.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, started.pid, 0)));
  return std::variant<Command, NotStarted>(std::move(started));
}

// The dynamic linker maps preloaded libraries before any other; when others are there and ours is
// not, it will not come.
bool goes_without_library(pid_t pid) {
  if (!emulator_path().empty())
    return false; // those maps are the emulator's
  const Result<std::vector<MapsEntry>> maps = read_maps(pid);
  bool others = false;
  for (const MapsEntry& entry : maps ? *maps : std::vector<MapsEntry>()) {
    if (entry.path.ends_with("/libbpfaot-preload.so"))
      return false;
    const size_t slash = entry.path.rfind('/');
    const std::string file = slash == std::string::npos ? "" : entry.path.substr(slash + 1);
    others |= file.find(".so") != std::string::npos && file.rfind("ld-", 0) != 0 && file.rfind("ld.", 0) != 0;
  }
  return others;
}

// Until the library says something, or cannot any more. [preload-missing]
Status wait_for_library(const Command& command) {
  for (;;) {
    pollfd list[2] = {{command.socket.get(), POLLIN, 0}, {command.pidfd.get(), POLLIN, 0}};
    const int ready = poll(list, 2, kLook);
    if ((list[0].revents & POLLIN) != 0 && (list[0].revents & POLLHUP) == 0)
      return {};
    const bool ended = ready > 0; // or has executed something that has the socket no more
    if (ended || (ready == 0 && goes_without_library(command.pid)))
      return Failure(make_error(Code::kPreloadMissing, "the command did not load the preload library")
                         .hint("without --preload, run puts the probes in by ptrace"));
  }
}

// Counts in the runtime file, which the command can change in size: read, not mapped.
MissedCounts missed_of(const UniqueFd& runtime) {
  bpfaot_process process{};
  if (!runtime.valid() || pread(runtime.get(), &process, sizeof process, 0) != sizeof process)
    return {};
  return {process.missed, process.missed_returns};
}

// What the other side has done, once it may do it.
struct Handover {
  Plan plan;
  AttachedMessage attached;
  UniqueFd runtime;
};

Status plan_there(Watch& watch, const Command& command, Handover& handover) {
  const int fds[] = {watch.image().fd(), watch.session().const_fd(), watch.session().data_fd()};
  Status sent = send_message(command.socket.get(), encode(StartMessage{watch.image().path(), watch.wishes()}), fds);
  TRY(wait_for_library(command)); // knows better why nobody is there
  TRY(std::move(sent));
  PlannedMessage planned = TRY(decode_planned(TRY(receive_message(command.socket.get())).bytes));
  if (planned.failure)
    return Failure(std::move(*planned.failure));
  if (planned.rows.size() != watch.wishes().size())
    return fail(Code::kHandover, "the preload library answers another question than was asked");
  handover.plan.rows = std::move(planned.rows);
  for (size_t i = 0; i < handover.plan.rows.size(); ++i)
    handover.plan.rows[i].wish = watch.wishes()[i];
  return {};
}

Status attach_there(const Command& command, Handover& handover) {
  TRY(send_byte(command.socket.get(), 1));
  ReceivedMessage received = TRY(receive_message(command.socket.get()));
  handover.attached = TRY(decode_attached(received.bytes));
  if (handover.attached.failure)
    return Failure(*handover.attached.failure);
  if (!received.fds.empty())
    handover.runtime = std::move(received.fds.front());
  for (size_t i = 0; i < std::min(handover.plan.rows.size(), handover.attached.refusals.size()); ++i)
    handover.plan.rows[i].refusal = handover.attached.refusals[i];
  return {};
}

// The exit status belongs to the command, also when nobody could read what was observed.
void show_end(Watch& watch, const Handover& handover, const Console& console) {
  const Status shown = watch.finish(missed_of(handover.runtime));
  if (!shown)
    console.report(shown.error());
}

Result<int> observe(Command& command, Watch& watch, const Handover& handover, SignalReader& signals,
                    const Console& console) {
  const pid_t pid = command.pid;
  if (!handover.attached.patches.empty()) {
    const Result<uint32_t> id = watch.enlist(pid, handover.attached.patches);
    if (!id) { // the command can still be observed, only not detached from outside
      Diagnostic warning = id.error();
      warning.level = Level::warning;
      console.report(warning);
    }
  }
  TRY(send_byte(command.socket.get(), 1));
  command.socket.reset();
  command.pid = -1; // it runs, and is not ours to end any more
  const Ended ended = watch_until(watch, signals, command.pidfd.get(), pid);
  Detached out;
  if (ended == Ended::detach && !handover.attached.patches.empty()) {
    out = detach_everywhere(pid, watch.patcher(), handover.attached.runtime_inode, handover.attached.patches);
    if (!out.status)
      console.report(out.status.error());
  }
  watch.delist(out);
  if (ended == Ended::process) {
    const int status = TRY(wait_for_end(pid));
    show_end(watch, handover, console);
    return status;
  }
  show_end(watch, handover, console);
  while (watch_until(watch, signals, command.pidfd.get(), pid) != Ended::process) {
  }
  return wait_for_end(pid);
}

} // namespace

Result<int> run_preloaded(const ParsedArguments& arguments, const Console& console) {
  const Image image = TRY(open_image(TRY(only_positional(arguments, "probe")), ImageUse::inspect));
  if (image.is_foreign())
    return exec_foreign(*targets::find_machine(static_cast<uint16_t>(image.desc().machine)), command_line(arguments));
  const std::string library = TRY(find_preload_library());
  const std::unique_ptr<Watch> watch = TRY(Watch::open(arguments, console));
  std::variant<Command, NotStarted> started = TRY(start(arguments.rest, library, console));
  if (const NotStarted* not_started = std::get_if<NotStarted>(&started))
    return not_started->status;
  Command& command = std::get<Command>(started);
  SignalReader signals = TRY(SignalReader::create());
  std::signal(SIGPIPE, SIG_IGN);
  Handover handover;
  TRY(plan_there(*watch, command, handover));
  if (watch->dry_run()) {
    print_dry_run(handover.plan, watch->image(), watch->json(), console);
    return 0;
  }
  Status wanted = check_plan(handover.plan);
  if (wanted)
    wanted = attach_there(command, handover);
  if (wanted)
    wanted = check_plan(handover.plan);
  if (!wanted && handover.plan.refused() <= 1)
    return std::move(wanted).take_error(); // the error tells the reason
  report_refusals(handover.plan, console, watch->names());
  TRY(std::move(wanted));
  return observe(command, *watch, handover, signals, console);
}

} // namespace bpfaot::loader
