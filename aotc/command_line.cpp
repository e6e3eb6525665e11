// SPDX-License-Identifier: MIT
#include "aotc/command_line.h"

#include "aotc/machine.h"
#include "linker/linker.h"
#include "support/options.h"
#include "verifier/verifier.h"

#include <bpfaot/abi.h>

#include <array>
#include <charconv>

namespace bpfaot::aotc {
namespace {

enum Option : int {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group) kOption_##id,
#include "aotc/options.def"
#undef BPFAOT_OPTION
};

constexpr OptionRow kOptions[] = {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, help, group)                       \
  {kOption_##id, short_name, long_name, OptionArg::arg, arg_name, help, group},
#include "aotc/options.def"
#undef BPFAOT_OPTION
};

struct EmitRow {
  std::string_view name, extension;
};
constexpr std::array<EmitRow, 8> kEmit = {{{"insns", ".insns"},
                                           {"cfg", ".dot"},
                                           {"facts", ".facts"},
                                           {"llvm-ir-unopt", ".unopt.ll"},
                                           {"llvm-ir", ".ll"},
                                           {"asm", ".s"},
                                           {"obj", ".o"},
                                           {"so", ".so"}}};

Failure usage(std::string message) {
  return fail(Code::kUsage, std::move(message));
}

Failure bad_value(std::string_view option, const std::string& value, std::string_view wanted) {
  return usage("'" + value + "' is no value of " + std::string(option) + ", which takes " +
               std::string(wanted));
}

template <class T> bool parse_number(const std::string& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Status parse_emit(const std::string& value, CompileOptions& options) {
  const size_t equals = value.find('=');
  const std::string stage = value.substr(0, equals);
  for (size_t i = 0; i < kEmit.size(); ++i)
    if (kEmit[i].name == stage) {
      options.emit = static_cast<Emit>(i);
      if (equals != std::string::npos)
        options.output = value.substr(equals + 1);
      return {};
    }
  return bad_value("--emit", stage, "insns, cfg, facts, llvm-ir-unopt, llvm-ir, asm, obj or so");
}

Result<bpf::CtxMachine> parse_ctx_machine(const std::string& value) {
  const targets::Target* target = TRY(targets::find(value));
  static constexpr std::pair<std::string_view, bpf::CtxMachine> kMachines[] = {
      {"x86_64", bpf::CtxMachine::x86_64},
      {"aarch64", bpf::CtxMachine::aarch64},
      {"riscv64", bpf::CtxMachine::riscv64}};
  for (const auto& [name, machine] : kMachines)
    if (name == target->name)
      return machine;
  return bad_value("--ctx-arch", value, "a machine that objects are compiled for");
}

Status apply(const ParsedOption& option, CompileOptions& options) {
  switch (static_cast<Option>(option.id)) {
  case kOption_target:
    if (option.value == "help")
      options.action = Action::print_targets;
    else
      options.targets.push_back(TRY(targets::find(option.value)));
    return {};
  case kOption_output: options.output = option.value; return {};
  case kOption_emit: return parse_emit(option.value, options);
  case kOption_verify_only: options.action = Action::verify; return {};
  case kOption_json: options.json = true; return {};
  case kOption_list: options.action = Action::list; return {};
  case kOption_program: options.programs.push_back(option.value); return {};
  case kOption_section: options.sections.push_back(option.value); return {};
  case kOption_ctx_arch: options.ctx_machine = TRY(parse_ctx_machine(option.value)); return {};
  case kOption_btf: options.btf = option.value; return {};
  case kOption_fix_maps: options.fix_maps = true; return {};
  case kOption_opt_level:
    if (!parse_number(option.value, options.opt_level) || options.opt_level < 0 ||
        options.opt_level > 3)
      return bad_value("-O", option.value, "0 to 3");
    return {};
  case kOption_cpu:
    options.cpu = option.value;
    if (option.value == "help")
      options.action = Action::print_cpus;
    return {};
  case kOption_step_limit:
    if (!parse_number(option.value, options.step_limit) || options.step_limit == 0)
      return bad_value("--step-limit", option.value, "a number above 0");
    return {};
  case kOption_resource_dir: options.resource_dir = option.value; return {};
  case kOption_print_targets: options.action = Action::print_targets; return {};
  case kOption_print_resource_dir: options.action = Action::print_resource_dir; return {};
  case kOption_verbose: options.verbose = true; return {};
  case kOption_time_report: options.time_report = true; return {};
  case kOption_print_link: options.print_link = true; return {};
  case kOption_version: options.action = Action::version; return {};
  case kOption_help: options.action = Action::help; return {};
  case kOption_color:
    if (option.value == "auto")
      options.color = CompileOptions::Color::automatic;
    else if (option.value == "always")
      options.color = CompileOptions::Color::always;
    else if (option.value == "never")
      options.color = CompileOptions::Color::never;
    else
      return bad_value("--color", option.value, "auto, always or never");
    return {};
  case kOption_error_format:
    if (option.value != "human" && option.value != "json")
      return bad_value("--error-format", option.value, "human or json");
    options.json_errors = option.value == "json";
    return {};
  case kOption_error_limit:
    if (!parse_number(option.value, options.error_limit))
      return bad_value("--error-limit", option.value, "a number");
    return {};
  case kOption_werror: options.warnings_are_errors = true; return {};
  case kOption_no_warnings: options.no_warnings = true; return {};
  }
  __builtin_unreachable();
}

bool needs_input(Action action) {
  return action == Action::compile || action == Action::verify || action == Action::list;
}

Status check_cpu(const CompileOptions& options) {
  if (options.cpu.empty() || options.action == Action::print_cpus)
    return {};
  for (const targets::Target* target : options.targets) {
    bool known = false;
    for (const targets::CpuRow& row : target->cpus)
      known |= row.name == options.cpu;
    if (!known)
      return Failure(make_error(Code::kUsage, "unknown processor '" + options.cpu + "' for " +
                                                  std::string(target->name))
                         .hint("known: " + cpu_list(*target)));
  }
  return {};
}

} // namespace

Result<CompileOptions> parse_command_line(std::span<const std::string> arguments) {
  const ParsedArguments parsed = TRY(parse_arguments(kOptions, arguments));
  CompileOptions options;
  for (const ParsedOption& option : parsed.options)
    TRY(apply(option, options));
  std::vector<std::string> inputs = parsed.positional;
  inputs.insert(inputs.end(), parsed.rest.begin(), parsed.rest.end());
  if (options.targets.empty())
    options.targets.push_back(&targets::host());
  TRY(check_cpu(options));
  if (!needs_input(options.action))
    return options;
  if (inputs.empty())
    return Failure(
        make_error(Code::kUsage, "no input file").hint("bpf-aotc probe.bpf.o -o probe.so"));
  if (inputs.size() > 1)
    return Failure(make_error(Code::kUsage, "more than one input file: '" + inputs[1] + "'")
                       .hint("join objects with: bpftool gen object joined.bpf.o a.bpf.o b.bpf.o"));
  options.input = inputs[0];
  if (options.action == Action::compile)
    TRY(output_for(options, *options.targets[0]));
  return options;
}

std::string help_text() {
  return "usage: bpf-aotc [options] IN.bpf.o [-t ARCH] [-o OUT.so]\n\n"
         "Compiles eBPF programs to a native shared object that bpf-aot runs in processes.\n\n"
         "  bpf-aotc probe.bpf.o                             probe.so for this machine\n"
         "  bpf-aotc probe.bpf.o -t x86_64 -t aarch64 -o 'probe-%a.so'\n"
         "  bpf-aotc --verify-only --json probe.bpf.o        what the verifier says\n\n" +
         format_options(kOptions);
}

std::string version_text() {
  std::string targets;
  for (const targets::Target* target : targets::all())
    targets += " " + std::string(target->name);
  return "bpf-aotc " BPFAOT_VERSION "\nLLVM " + llvm_version() + ", lld " + linker::lld_version() +
         "\nimage ABI " + std::to_string(BPFAOT_ABI_VERSION) + ", verifier " +
         std::to_string(verifier::kVerifierVersion) + "\ntargets:" + targets + "\n";
}

std::string target_list() {
  std::string text;
  for (const targets::Target* target : targets::all()) {
    std::string name(target->name);
    name.resize(10, ' ');
    text += name + std::string(target->triple) + "  (" + std::string(target->aliases) + ")\n";
  }
  return text;
}

std::string cpu_list(const targets::Target& target) {
  std::string text;
  for (const targets::CpuRow& row : target.cpus)
    text += (text.empty() ? "" : ", ") + std::string(row.name);
  return text;
}

std::string default_output(const std::string& input, Emit emit) {
  std::string stem = input.substr(input.rfind('/') == std::string::npos ? 0 : input.rfind('/') + 1);
  for (const std::string_view suffix : {".o", ".bpf"})
    if (stem.size() > suffix.size() && stem.ends_with(suffix))
      stem.resize(stem.size() - suffix.size());
  return stem + std::string(kEmit[static_cast<size_t>(emit)].extension);
}

Result<std::string> output_for(const CompileOptions& options, const targets::Target& target) {
  const bool several = options.targets.size() > 1;
  std::string output = options.output;
  if (output.empty()) {
    output = default_output(options.input, options.emit);
    if (several)
      output.insert(output.find('.'), "-%a");
  }
  const size_t place = output.find("%a");
  if (place == std::string::npos && several)
    return Failure(make_error(Code::kUsage, "several targets would be written to '" + output + "'")
                       .hint("put %a into the name: it stands for the machine"));
  if (place != std::string::npos)
    output.replace(place, 2, target.name);
  return output;
}

} // namespace bpfaot::aotc
