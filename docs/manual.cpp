// SPDX-License-Identifier: MIT
//
// Writes the manual page or the bash completion of a tool from its table of options, so that neither
// can miss one: print_manual man|bash TOOL.
#include "loader/verb.h"
#include "support/options.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace bpfaot;

#if __has_include("aotc/options.def")
constexpr OptionRow kCompilerOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group)                       \
  {0, short_name, long_name, OptionArg::arg, arg_name, help, group},
#include "aotc/options.def"
#undef BPFAOT_OPTION
};
#else
constexpr std::span<const OptionRow> kCompilerOptions;
#endif

#if __has_include("conformance/options.def")
constexpr OptionRow kConformanceOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group)                       \
  {0, short_name, long_name, OptionArg::arg, arg_name, help, group},
#include "conformance/options.def"
#undef BPFAOT_OPTION
};
#else
constexpr std::span<const OptionRow> kConformanceOptions;
#endif

struct VerbRow {
  uint32_t mask;
  std::string_view name, synopsis, summary;
};

constexpr VerbRow kVerbs[] = {
#define BPFAOT_VERB(mask, name, function, synopsis, summary) {loader::mask, name, synopsis, summary},
#include "loader/verbs.def"
#undef BPFAOT_VERB
};

struct LoaderOption {
  OptionRow row;
  uint32_t verbs;
};

// What the verbs column of loader/options.def is written in.
constexpr auto kInfo = loader::kInfo, kRun = loader::kRun, kAttach = loader::kAttach,
               kDetach = loader::kDetach, kList = loader::kList, kMap = loader::kMap,
               kTestRun = loader::kTestRun, kDoctor = loader::kDoctor, kAll = loader::kAll;

constexpr LoaderOption kLoaderOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, verbs, help)                       \
  {{0, short_name, long_name, OptionArg::arg, arg_name, help, "Options"}, verbs},
#include "loader/options.def"
#undef BPFAOT_OPTION
};

struct Section {
  std::string_view title;
  std::vector<std::string> paragraphs;
};

struct Option {
  OptionRow row;
  std::string help;
};

struct Manual {
  std::string_view tool, summary;
  std::vector<std::string> synopsis;
  std::vector<Section> before; // the options
  std::vector<Option> options;
  std::vector<Section> after;
  std::vector<std::string_view> words; // first words: verbs
  std::string_view files;              // pattern of files to complete
};

std::vector<Option> options_of(std::span<const OptionRow> rows) {
  std::vector<Option> options;
  for (const OptionRow& row : rows)
    options.push_back({row, std::string(row.help)});
  return options;
}

// Each option with the verbs that take it, unless all do.
std::vector<Option> loader_options() {
  std::vector<Option> options;
  for (const LoaderOption& option : kLoaderOptions) {
    std::string verbs;
    for (const VerbRow& verb : kVerbs)
      if (option.verbs & verb.mask)
        verbs += (verbs.empty() ? "" : ", ") + std::string(verb.name);
    if (verbs.empty())
      continue;
    std::string help(option.row.help);
    if (option.verbs != kAll)
      help += " (" + verbs + ")";
    options.push_back({option.row, help});
  }
  return options;
}

Manual compiler_manual() {
  return {
      "bpf-aotc",
      "compile BPF programs to native shared objects",
      {"[OPTION]... FILE.bpf.o [-t ARCH]... [-o OUT.so]", "--verify-only [--json] FILE.bpf.o"},
      {{"DESCRIPTION",
        {"Reads an object that clang compiled for the bpf target, verifies every program in it, and "
         "compiles the programs to a shared object for one machine or several. The shared object needs "
         "no library; bpf-aot(1) puts it into a process.",
         "A program that the verifier does not accept is never compiled. The message names the source "
         "line, the instruction, the value found and the value needed, and a stable code in brackets. "
         "Programs of kinds that cannot run in a process are left out with a warning.",
         "@FILE stands for the words in FILE, separated by white space and quoted as in a shell; files "
         "may name files. The environment changes nothing but NO_COLOR, which turns colours off. No "
         "sysroot is needed: images have no C library."}}},
      options_of(kCompilerOptions),
      {{"EXIT STATUS",
        {"0: done. 1: an input is rejected, not supported, or cannot be read. 2: the command line is "
         "wrong. 70: an internal error; please report it."}},
       {"EXAMPLES",
        {"bpf-aotc probe.bpf.o -o probe.so", "bpf-aotc probe.bpf.o -t x86_64 -t aarch64 -o 'probe-%a.so'",
         "bpf-aotc --verify-only --json probe.bpf.o"}},
       {"SEE ALSO", {"bpf-aot(1), clang(1)"}}},
      {},
      "*.o"};
}

Manual conformance_manual() {
  return {
      "bpf-aotc-conformance",
      "run one BPF program by the protocol of the bpf_conformance suite",
      {"[MEMORY] [OPTION]... < PROGRAM"},
      {{"DESCRIPTION",
        {"A plugin of the public suite of instruction set tests. Reads a program from standard input: "
         "one line of hexadecimal digits, eight bytes an instruction, blanks between bytes allowed. "
         "Verifies and compiles it as bpf-aotc(1) does, runs it in a process of its own, and prints what "
         "r0 holds at the end, 64 bits in hexadecimal digits without a prefix.",
         "MEMORY is hexadecimal as well. r1 is the address of a writable copy of it and r2 its length in "
         "bytes; both are 0 when there is none. The stack has 512 bytes for each frame. Shifts by a "
         "constant that is not below the width are masked, as RFC 9669 says, though bpf-aotc(1) refuses "
         "them as the kernel does. Maps and kernel functions do not exist."}}},
      options_of(kConformanceOptions),
      {{"EXIT STATUS",
        {"0: the program ran. 1: it is refused, with the reason on standard error, or did not come back. "
         "2: the command line or the input is wrong."}},
       {"EXAMPLES",
        {"echo 'b7 00 00 00 02 00 00 00 95 00 00 00 00 00 00 00' | bpf-aotc-conformance",
         "echo 71100000000000009500000000000000 | bpf-aotc-conformance 0a0b0c -t riscv64"}},
       {"SEE ALSO", {"bpf-aotc(1)"}}},
      {},
      "*"};
}

Manual loader_manual() {
  Section verbs{"VERBS", {}};
  Manual manual{"bpf-aot", "run compiled BPF programs in processes", {}, {}, loader_options(), {}, {}, "*.so"};
  for (const VerbRow& verb : kVerbs) {
    const std::string usage = std::string(verb.name) + " " + std::string(verb.synopsis);
    manual.synopsis.push_back(usage);
    manual.words.push_back(verb.name);
    verbs.paragraphs.push_back(usage + ": " + std::string(verb.summary) + ".");
  }
  manual.before = {
      {"DESCRIPTION",
       {"Puts the programs of a shared object that bpf-aotc(1) made into a process, and prints what they "
        "observe: events as they come, maps and histograms at the end. The kernel needs no BPF, and the "
        "machine needs nothing but this tool."}},
      std::move(verbs)};
  manual.after = {
      {"EXIT STATUS",
       {"run: that of the command, 126 or 127 when it cannot be started. Otherwise 0: done. 1: the probe, "
        "the process or the machine does not allow it. 2: the command line is wrong. 70: an internal "
        "error; please report it."}},
      {"EXAMPLES",
       {"bpf-aot run probe.so -- ./app --its-own-options",
        "bpf-aot run --attach on_entry=uprobe:./app:handle_request --json -o events.json probe.so -- ./app",
        "bpf-aot attach probe.so -p 4711", "bpf-aot list", "bpf-aot detach 3"}},
      {"SEE ALSO", {"bpf-aotc(1)"}}};
  return manual;
}

// Text for roff: a dash is a dash, and no line starts with a control character.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-')
      out += "\\-";
    else if (c == '\\')
      out += "\\e";
    else
      out += c;
  }
  if (out.starts_with(".") || out.starts_with("'"))
    out.insert(0, "\\&");
  return out;
}

std::string spelling(const OptionRow& row) {
  std::string text;
  const std::string argument(row.arg_name);
  if (row.short_name != 0) {
    text = "\\fB\\-" + std::string(1, row.short_name) + "\\fR";
    const bool attached = row.long_name.empty(); // -WCODE, not -o FILE
    if (row.arg == OptionArg::required)
      text += (attached ? "\\fI" : " \\fI") + roff(argument) + "\\fR";
    else if (row.arg == OptionArg::optional && attached)
      text += "[\\fI" + roff(argument) + "\\fR]";
  }
  if (row.long_name.empty())
    return text;
  const bool one_dash = row.long_name[0] < 'a' || row.long_name[0] > 'z';
  text += (text.empty() ? "\\fB" : ", \\fB") + std::string(one_dash ? "\\-" : "\\-\\-");
  text += roff(row.long_name) + "\\fR";
  if (row.arg == OptionArg::required)
    text += (one_dash ? " \\fI" : "=\\fI") + roff(argument) + "\\fR";
  else if (row.arg == OptionArg::optional)
    text += "[=\\fI" + roff(argument) + "\\fR]";
  return text;
}

void print_sections(const std::vector<Section>& sections) {
  for (const Section& section : sections) {
    std::printf(".SH %s\n", roff(section.title).c_str());
    const bool literal = section.title == "EXAMPLES";
    for (const std::string& paragraph : section.paragraphs)
      std::printf(literal ? ".PP\n.nf\n%s\n.fi\n" : ".PP\n%s\n", roff(paragraph).c_str());
  }
}

void print_man(const Manual& manual) {
  const std::string tool(manual.tool);
  std::printf(".\\\" SPDX-License-Identifier: MIT\n.TH %s 1 \"\" \"bpf-aot %s\" \"User Commands\"\n",
              tool.c_str(), BPFAOT_VERSION);
  std::printf(".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", roff(tool).c_str(), roff(manual.summary).c_str());
  for (const std::string& line : manual.synopsis)
    std::printf(".PP\n\\fB%s\\fR %s\n", roff(tool).c_str(), roff(line).c_str());
  print_sections(manual.before);
  std::printf(".SH OPTIONS\n");
  std::string_view group;
  for (const auto& [row, help] : manual.options) {
    if (row.group.empty())
      continue;
    if (row.group != group)
      std::printf(".SS %s\n", roff(row.group).c_str());
    group = row.group;
    std::printf(".TP\n%s\n%s\n", spelling(row).c_str(), roff(help).c_str());
  }
  print_sections(manual.after);
}

void print_bash(const Manual& manual) {
  std::string function = "_" + std::string(manual.tool);
  for (char& c : function)
    if (c == '-')
      c = '_';
  std::string options, words;
  for (const auto& [row, help] : manual.options) {
    if (row.group.empty() || row.long_name.empty())
      continue;
    const bool one_dash = row.long_name[0] < 'a' || row.long_name[0] > 'z'; // takes the next word
    options += (one_dash ? " -" : " --") + std::string(row.long_name);
    options += row.arg == OptionArg::required && !one_dash ? "=" : "";
  }
  for (const std::string_view word : manual.words)
    words += " " + std::string(word);
  std::printf("# SPDX-License-Identifier: MIT\n"
              "%s() {\n"
              "  local current=${COMP_WORDS[COMP_CWORD]}\n"
              "  local options='%s' words='%s'\n"
              "  if [[ $current == -* ]]; then\n"
              "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
              "    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace\n"
              "  elif [[ $COMP_CWORD -eq 1 && -n $words ]]; then\n"
              "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
              "  else\n"
              "    compopt -o filenames\n"
              "    mapfile -t COMPREPLY < <(compgen -f -X '!%s' -- \"$current\"; compgen -d -- \"$current\")\n"
              "  fi\n"
              "}\n"
              "complete -F %s %s\n",
              function.c_str(), options.substr(options.empty() ? 0 : 1).c_str(),
              words.substr(words.empty() ? 0 : 1).c_str(), std::string(manual.files).c_str(),
              function.c_str(), std::string(manual.tool).c_str());
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view form = argc == 3 ? argv[1] : "", tool = argc == 3 ? argv[2] : "";
  constexpr std::pair<std::string_view, Manual (*)()> kTools[] = {
      {"bpf-aotc", compiler_manual},
      {"bpf-aot", loader_manual},
      {"bpf-aotc-conformance", conformance_manual}};
  const auto found =
      std::find_if(std::begin(kTools), std::end(kTools), [&](const auto& row) { return row.first == tool; });
  if ((form != "man" && form != "bash") || found == std::end(kTools)) {
    std::fprintf(stderr, "usage: print_manual man|bash bpf-aotc|bpf-aot|bpf-aotc-conformance\n");
    return 2;
  }
  const Manual manual = found->second();
  if (form == "man")
    print_man(manual);
  else
    print_bash(manual);
  return 0;
}
