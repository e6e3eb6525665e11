// SPDX-License-Identifier: MIT
//
// bpf-aot VERB: finds the verb, parses its options, prints its failure, exits.
#include "loader/verb.h"
#include "support/options.h"

#include "bpfaot/abi.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace bpfaot::loader {
namespace {

struct OptionSpec {
  OptionRow row;
  uint32_t verbs;
};

constexpr OptionSpec kOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, verbs, help)                       \
  {{id##Option, short_name, long_name, OptionArg::arg, arg_name, help, "options"}, verbs},
#include "loader/options.def"
#undef BPFAOT_OPTION
};

constexpr Verb kVerbs[] = {
#define BPFAOT_VERB(mask, name, function, synopsis, summary)                                       \
  {mask, name, function, synopsis, summary},
#include "loader/verbs.def"
#undef BPFAOT_VERB
};

std::vector<OptionRow> options_of(const Verb& verb) {
  std::vector<OptionRow> rows;
  for (const OptionSpec& spec : kOptions)
    if (spec.verbs & verb.mask)
      rows.push_back(spec.row);
  return rows;
}

std::string help_text() {
  std::string text = "usage: bpf-aot VERB [options]\n\n"
                     "Runs probes made by bpf-aotc in user-space processes, without kernel BPF.\n\n";
  for (const Verb& verb : kVerbs) {
    std::string name = "  " + std::string(verb.name);
    name.resize(std::max<size_t>(name.size() + 1, 13), ' ');
    text += name + std::string(verb.summary) + "\n";
  }
  return text + "\n  bpf-aot run probe.so -- ./app args…\n  bpf-aot attach -p PID probe.so\n\n"
                "bpf-aot VERB --help describes a verb, bpf-aot --version the tool.\n";
}

std::string verb_help(const Verb& verb) {
  const std::vector<OptionRow> rows = options_of(verb);
  return "usage: bpf-aot " + std::string(verb.name) + " " + std::string(verb.synopsis) + "\n\n" +
         std::string(verb.summary) + "\n\n" + format_options(rows);
}

std::string version_text() {
  utsname names{};
  uname(&names);
  return std::string("bpf-aot " BPFAOT_VERSION "\nABI ") + std::to_string(BPFAOT_ABI_VERSION) +
         "\nmachine " + names.machine + "\n";
}

Result<const Verb*> find_verb(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) {
    if (verb.name == name)
      return &verb;
    names.push_back(verb.name);
  }
  Diagnostic diagnostic = make_error(Code::kUsage, "no verb '" + std::string(name) + "'");
  if (const std::string near = nearest(name, names); !near.empty())
    diagnostic.hints.push_back("did you mean '" + near + "'?");
  std::string list;
  for (const std::string_view known : names)
    list += (list.empty() ? "" : ", ") + std::string(known);
  diagnostic.notes.push_back("verbs: " + list);
  return Failure(std::move(diagnostic));
}

Status configure(const ParsedArguments& arguments, Console* console) {
  const std::string_view colour = arguments.value(kColourOption, "auto");
  const std::string_view format = arguments.value(kErrorFormatOption, "human");
  if (colour != "auto" && colour != "always" && colour != "never")
    return fail(Code::kUsage, "--color " + std::string(colour) + ": auto, always or never");
  if (format != "human" && format != "json")
    return fail(Code::kUsage, "--error-format " + std::string(format) + ": human or json");
  if (colour != "auto")
    console->colour = colour == "always" ? Colour::always : Colour::never;
  console->json_errors = format == "json";
  return {};
}

Result<int> dispatch(const std::vector<std::string>& words, Console* console) {
  if (words.empty()) {
    fputs(help_text().c_str(), console->err);
    return 2;
  }
  if (words[0] == "-h" || words[0] == "--help" || words[0] == "help") {
    console->print(help_text());
    return 0;
  }
  if (words[0] == "-V" || words[0] == "--version") {
    console->print(version_text());
    return 0;
  }
  const Verb& verb = *TRY(find_verb(words[0]));
  const std::vector<OptionRow> rows = options_of(verb);
  const ParsedArguments arguments =
      TRY(parse_arguments(rows, std::span(words).subspan(1)));
  if (arguments.has(kHelpOption)) {
    console->print(verb_help(verb));
    return 0;
  }
  TRY(configure(arguments, console));
  return verb.function(arguments, *console);
}

} // namespace
} // namespace bpfaot::loader

int main(int argc, char** argv) {
  using namespace bpfaot;
  loader::Console console{stdout, stderr};
  const char* no_colour = getenv("NO_COLOR");
  if (isatty(STDERR_FILENO) && !(no_colour && *no_colour))
    console.colour = Colour::always;
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  Result<int> result = loader::dispatch(words, &console);
  int status = 0;
  if (result) {
    status = *result;
  } else {
    console.report(result.error());
    status = loader::exit_status(result.error());
  }
  if (fflush(stdout) != 0 && status == 0)
    status = 1;
  return status;
}
