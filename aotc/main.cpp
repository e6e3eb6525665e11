// SPDX-License-Identifier: MIT
//
// bpf-aotc: the only file of this tool that prints and exits.
// Exit status: 0 done, 1 the input was rejected or could not be compiled, 2 wrong command line,
// 70 internal error.
#include "aotc/driver.h"
#include "aotc/explain.h"
#include "aotc/machine.h"
#include "aotc/reproduce.h"
#include "aotc/runtime.h"
#include "aotc/version.h"
#include "support/render.h"
#include "support/response_file.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace {

using namespace bpfaot;
using namespace bpfaot::aotc;

constexpr int kRejected = 1, kUsage = 2, kInternalError = 70;
constexpr char kHowToReport[] =
    "the same command with --reproduce=fault.tar writes what a report of this fault needs\n";

void print(FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

Colour colour_of(const CompileOptions& options) {
  if (options.color != CompileOptions::Color::automatic)
    return options.color == CompileOptions::Color::always ? Colour::always : Colour::never;
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDERR_FILENO) != 0 && (no_color == nullptr || *no_color == '\0') ? Colour::always
                                                                                  : Colour::never;
}

// Prints what the run found and says how it ends.
int report(const CompileOptions& options, const DiagSink& sink, bool failed) {
  int status = failed ? kRejected : 0;
  for (const Diagnostic& diagnostic : sink.all()) {
    if (diagnostic.level >= Level::error) {
      const Verdict verdict = code_verdict(diagnostic.code);
      if (verdict == Verdict::internal)
        status = kInternalError;
      else if (verdict == Verdict::usage && status != kInternalError)
        status = kUsage;
    }
    print(stderr, options.json_errors ? render_json(diagnostic) + "\n"
                                      : render_human(diagnostic, colour_of(options)));
  }
  if (sink.suppressed() != 0) {
    const std::string count = std::to_string(sink.suppressed());
    print(stderr, options.json_errors
                      ? "{\"level\":\"note\",\"message\":\"more errors\",\"suppressed\":" + count + "}\n"
                      : "bpf-aotc: " + count + " more errors, see --error-limit\n");
  }
  if (status == kInternalError && !options.json_errors)
    print(stderr, version_text() + kHowToReport);
  return status;
}

// A signal that says that we are broken, or LLVM's last words. Only calls that are allowed there.
void write_error(const char* text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

[[noreturn]] void die(const char* reason) {
  write_error("bpf-aotc: internal error: ");
  write_error(reason);
  write_error("\nbpf-aotc " BPFAOT_VERSION "\n");
  write_error(kHowToReport);
  _exit(kInternalError);
}

void catch_own_faults() {
  alignas(16) static std::array<char, 65536> stack; // a deep recursion has used up the other one
  const stack_t own{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  sigaltstack(&own, nullptr);
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    die(signal == SIGABRT ? "aborted" : signal == SIGILL ? "trap" : "invalid memory access");
  };
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    sigaction(signal, &action, nullptr);
  set_fatal_error_handler([](const char* reason) { die(reason); });
}

int run(const CompileOptions& options) {
  switch (options.action) {
  case Action::help: print(stdout, help_text()); return 0;
  case Action::short_help: print(stdout, short_help_text()); return 0;
  case Action::version: print(stdout, options.json ? version_json() : version_text()); return 0;
  case Action::print_targets: print(stdout, target_list()); return 0;
  case Action::print_resource_dir:
    print(stdout, (options.resource_dir.empty() ? Runtime::default_directory()
                                                : options.resource_dir) + "\n");
    return 0;
  case Action::print_cpus:
    for (const targets::Target* target : options.targets)
      print(stdout, std::string(target->name) + ": " + cpu_list(*target) + "\n");
    return 0;
  case Action::explain: print(stdout, *explanation(options.explained)); return 0;
  case Action::print_features:
    for (const targets::Target* target : options.targets)
      print(stdout, feature_table(*target));
    return 0;
  case Action::compile:
  case Action::verify:
  case Action::list: break;
  }
  DiagSink sink(options.error_limit);
  const Outcome outcome = run_compiler(options, sink);
  print(stderr, outcome.progress);
  print(stdout, outcome.report);
  const int status = report(options, sink, outcome.failed);
  return status;
}

} // namespace

int main(int argc, char** argv) {
  catch_own_faults();
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto complain = [&](const Diagnostic& error) {
    print(stderr, wants_json_errors(words) ? render_json(error) + "\n"
                                           : render_human(error, colour_of({})));
    return code_verdict(error.code) == Verdict::usage ? kUsage : kRejected;
  };
  const auto arguments = expand_response_files(words);
  if (!arguments)
    return complain(arguments.error());
  const auto options = parse_command_line(*arguments);
  if (!options)
    return complain(options.error());
  if (!options->reproduce.empty())
    if (const Status status = write_reproduction(options->reproduce, *arguments, version_text());
        !status)
      return complain(status.error());
  return run(*options);
}
