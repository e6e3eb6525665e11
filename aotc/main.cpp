// SPDX-License-Identifier: MIT
//
// bpf-aotc: the only file of this tool that prints and exits.
// Exit status: 0 done, 1 the input was rejected or could not be compiled, 2 wrong command line,
// 70 internal error.
#include "aotc/driver.h"
#include "aotc/runtime.h"
#include "support/render.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace {

using namespace bpfaot;
using namespace bpfaot::aotc;

constexpr int kRejected = 1, kUsage = 2, kInternalError = 70;

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
  for (Diagnostic diagnostic : sink.all()) {
    if (diagnostic.level == Level::warning) {
      if (options.warnings_are_errors)
        diagnostic.level = Level::error;
      else if (options.no_warnings)
        continue;
    }
    if (diagnostic.level == Level::error || diagnostic.level == Level::internal) {
      const Verdict verdict = code_verdict(diagnostic.code);
      if (verdict == Verdict::internal)
        status = kInternalError;
      else if (status != kInternalError)
        status = verdict == Verdict::usage ? kUsage : kRejected;
    }
    print(stderr, options.json_errors ? render_json(diagnostic) + "\n"
                                      : render_human(diagnostic, colour_of(options)));
  }
  if (sink.suppressed() != 0)
    print(stderr,
          "bpf-aotc: " + std::to_string(sink.suppressed()) + " more errors, see --error-limit\n");
  return status;
}

int run(const CompileOptions& options) {
  switch (options.action) {
  case Action::help: print(stdout, help_text()); return 0;
  case Action::version: print(stdout, version_text()); return 0;
  case Action::print_targets: print(stdout, target_list()); return 0;
  case Action::print_resource_dir: print(stdout, Runtime::default_directory() + "\n"); return 0;
  case Action::print_cpus:
    for (const targets::Target* target : options.targets)
      print(stdout, std::string(target->name) + ": " + cpu_list(*target) + "\n");
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
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto options = parse_command_line(arguments);
  if (!options) {
    print(stderr, render_human(options.error(), colour_of({})));
    return kUsage;
  }
  return run(*options);
}
