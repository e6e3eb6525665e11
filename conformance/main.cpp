// SPDX-License-Identifier: MIT
//
// bpf-aotc-conformance: the plugin protocol of the public bpf_conformance suite. argv[1] is the
// memory as hex (absent or empty when there is none), standard input is one line of program hex,
// standard output is r0 in hex. The program passes the verifier, is compiled for a machine and runs
// on it. Everything that comes in is hostile.
// Exit status: 0 the program ran, 1 it was refused or did not come back, 2 wrong command line.
#include "aotc/runtime.h"
#include "conformance/bare_module.h"
#include "conformance/runner.h"
#include "support/options.h"
#include "support/render.h"

#include <array>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

using namespace bpfaot;

enum Option : int {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group) kOption_##id,
#include "conformance/options.def"
#undef BPFAOT_OPTION
};

constexpr OptionRow kOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group)                       \
  {kOption_##id, short_name, long_name, OptionArg::arg, arg_name, help, group},
#include "conformance/options.def"
#undef BPFAOT_OPTION
};

constexpr int kRefused = 1, kUsage = 2;
constexpr size_t kLongestProgram = size_t{64} << 20; // of hex; far above a million instructions

constexpr char kUsageText[] =
    "usage: bpf-aotc-conformance [MEMORY] [OPTION]... < PROGRAM\n"
    "\n"
    "Verifies, compiles and runs one eBPF program, by the protocol of the bpf_conformance suite:\n"
    "PROGRAM is a line of hexadecimal digits, MEMORY as well; r1 is the address of a copy of the\n"
    "memory and r2 its length, or both 0. Prints r0 in hexadecimal digits.\n\n";

int complain(const Diagnostic& diagnostic, int status) {
  std::fputs(render_human(diagnostic, Colour::never).c_str(), stderr);
  return status;
}

int complain(const char* text, int status) {
  std::fprintf(stderr, "bpf-aotc-conformance: %s\n", text);
  return status;
}

std::optional<std::string> read_input() {
  std::string text;
  char part[65536];
  while (const size_t count = std::fread(part, 1, sizeof(part), stdin)) {
    text.append(part, count);
    if (text.size() > kLongestProgram)
      return std::nullopt;
  }
  return text;
}

int run(const ParsedArguments& arguments) {
  if (arguments.positional.size() > 1 || !arguments.rest.empty())
    return complain("more than one memory is given", kUsage);
  const auto memory =
      conformance::parse_hex(arguments.positional.empty() ? "" : arguments.positional[0]);
  if (!memory)
    return complain("the memory is not hexadecimal bytes", kUsage);
  const targets::Target* target = &targets::host();
  if (arguments.has(kOption_machine)) {
    const auto found = targets::find(arguments.value(kOption_machine));
    if (!found)
      return complain(found.error(), kUsage);
    target = *found;
  }
  const std::string_view level = arguments.value(kOption_opt_level, "2");
  if (level.size() != 1 || level[0] < '0' || level[0] > '3')
    return complain("--optimize takes 0, 1, 2 or 3", kUsage);
  const std::string_view given = arguments.value(kOption_resource_dir);
  const std::string resources =
      given.empty() ? aotc::Runtime::default_directory() : std::string(given);
  if (const Status runner = conformance::check_runner(*target, resources); !runner)
    return complain(runner.error(), kRefused);

  const std::optional<std::string> text = read_input();
  const auto code = text ? conformance::parse_hex(*text) : std::nullopt;
  if (!code)
    return complain("the program is not hexadecimal bytes", kUsage);
  conformance::BareModule module("standard input");
  std::optional<bpf::MapId> map;
  if (!memory->empty())
    map = module.add_memory(*memory);
  if (const auto index = module.add("program", *code, map); !index)
    return complain(index.error(), kRefused);
  const auto image = module.compile(*target, resources, level[0] - '0');
  if (!image)
    return complain(image.error(), kRefused);
  const auto results = conformance::run_image(*target, resources, *image);
  if (!results)
    return complain(results.error(), kRefused);
  if (results->size() != 1)
    return complain("the program did not come back", kRefused);
  std::printf("%llx\n", static_cast<unsigned long long>(results->front().r0));
  return std::fflush(stdout) == 0 ? 0 : kRefused;
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto arguments = parse_arguments(kOptions, words);
  if (!arguments)
    return complain(arguments.error(), kUsage);
  if (arguments->has(kOption_help)) {
    std::printf("%s%s", kUsageText, format_options(kOptions).c_str());
    return 0;
  }
  if (arguments->has(kOption_version)) {
    std::printf("bpf-aotc-conformance %s\n", BPFAOT_VERSION);
    return 0;
  }
  return run(*arguments);
}
