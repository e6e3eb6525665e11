// SPDX-License-Identifier: MIT
#include "aotc/command_line.h"

#include "aotc/explain.h"
#include "support/options.h"

#include <algorithm>
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

Status parse_features(std::string_view words, std::vector<targets::FeatureChoice>& features) {
  for (;;) {
    const size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    if (word.size() < 2 || (word[0] != '+' && word[0] != '-'))
      return bad_value("--mattr", std::string(word), "+FEATURE or -FEATURE, or several with commas");
    features.push_back({std::string(word.substr(1)), word[0] == '+'});
    if (comma == std::string_view::npos)
      return {};
    words.remove_prefix(comma + 1);
  }
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
  case kOption_depfile: options.depfile = true; return {};
  case kOption_depfile_path: options.depfile_path = option.value; return {};
  case kOption_depfile_target: options.depfile_targets.push_back(option.value); return {};
  case kOption_reproduce: options.reproduce = option.value; return {};
  case kOption_verify_only: options.action = Action::verify; return {};
  case kOption_json: options.json = true; return {};
  case kOption_list: options.action = Action::list; return {};
  case kOption_program: options.programs.push_back(option.value); return {};
  case kOption_section: options.sections.push_back(option.value); return {};
  case kOption_ctx_arch: options.ctx_machine = TRY(parse_ctx_machine(option.value)); return {};
  case kOption_btf: options.btf = option.value; return {};
  case kOption_set: options.settings.push_back(TRY(parse_setting(option.value))); return {};
  case kOption_kconfig:
    options.configuration.push_back(TRY(parse_setting(option.value, "--kconfig")));
    return {};
  case kOption_fix_maps: options.fix_maps = true; return {};
  case kOption_opt_level:
    options.optimise_size = option.value == "s";
    if (options.optimise_size)
      options.opt_level = 2;
    else if (!parse_number(option.value, options.opt_level) || options.opt_level < 0 ||
             options.opt_level > 3)
      return bad_value("-O", option.value, "0 to 3 or s");
    return {};
  case kOption_debug:
    if (!option.value.empty() && option.value != "0" && option.value != "1")
      return bad_value("-g", option.value, "nothing, 0 or 1");
    options.debug = option.value != "0";
    return {};
  case kOption_cpu:
    options.cpu = option.value;
    if (option.value == "help")
      options.action = Action::print_cpus;
    return {};
  case kOption_features:
    if (option.value != "help")
      return parse_features(option.value, options.features);
    options.action = Action::print_features;
    return {};
  case kOption_step_limit:
    if (!parse_number(option.value, options.step_limit) || options.step_limit == 0)
      return bad_value("--step-limit", option.value, "a number above 0");
    return {};
  case kOption_resource_dir: options.resource_dir = option.value; return {};
  case kOption_linker_argument: options.linker_arguments.push_back(option.value); return {};
  case kOption_llvm_argument: options.llvm_arguments.push_back(option.value); return {};
  case kOption_print_targets: options.action = Action::print_targets; return {};
  case kOption_print_resource_dir: options.action = Action::print_resource_dir; return {};
  case kOption_verbose: ++options.verbosity; return {};
  case kOption_stats: options.stats = true; return {};
  case kOption_time_report: options.time_report = true; return {};
  case kOption_print_link: options.print_link = true; return {};
  case kOption_explain:
    (void)TRY(explanation(option.value)); // whether there is one
    options.explained = option.value;
    options.action = Action::explain;
    return {};
  case kOption_version: options.action = Action::version; return {};
  case kOption_short_help: options.action = Action::short_help; return {};
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
  case kOption_warning: return options.warnings.apply(option.value);
  case kOption_werror:
    return options.warnings.apply(option.value.empty() ? "error" : "error=" + option.value);
  case kOption_no_warnings: options.warnings.silence(); return {};
  }
  __builtin_unreachable();
}

bool needs_input(Action action) {
  return action == Action::compile || action == Action::verify || action == Action::list;
}

// The best of the rows that this processor has, and what it has beyond; what --mattr says comes after.
Status choose_native_cpu(CompileOptions& options) {
  const targets::Target& host = targets::host();
  for (const targets::Target* target : options.targets)
    if (target != &host)
      return usage("--mcpu=native is this processor, which is no " + std::string(target->name));
  const uint64_t present = targets::host_cpu_features();
  const targets::CpuRow* best = nullptr;
  for (const targets::CpuRow& row : host.cpus)
    if ((row.features & ~present) == 0)
      best = &row;
  if (best == nullptr)
    return usage("this processor is older than any that is known");
  options.cpu = best->name;
  std::vector<targets::FeatureChoice> features;
  uint64_t known = 0;
  for (const targets::CpuRow& row : host.cpus)
    if ((row.own & best->features) != 0)
      known |= row.members;
  for (const targets::FeatureRow& row : host.features)
    if ((row.bit & present & ~known) != 0)
      features.push_back({std::string(row.name), true});
  features.insert(features.end(), options.features.begin(), options.features.end());
  options.features = std::move(features);
  return {};
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

Status check_features(const CompileOptions& options) {
  for (const targets::Target* target : options.targets)
    for (const targets::FeatureChoice& choice : options.features)
      if (targets::find_feature(*target, choice.name) == nullptr)
        return Failure(make_error(Code::kUsage, "unknown feature '" + choice.name + "' for " +
                                                    std::string(target->name))
                           .hint("--mattr=help lists those that are known"));
  return {};
}

// Every output has a name of its own, and standard output takes one thing only.
Status check_outputs(const CompileOptions& options) {
  const std::string first = TRY(output_for(options, *options.targets[0]));
  if (first != "-")
    return {};
  if (options.json)
    return usage("--json reports on standard output, where the output of -o - goes");
  if (options.depfile && options.depfile_targets.empty())
    return usage("-MD needs -MT when the output is standard output");
  if (options.depfile && options.depfile_path.empty())
    return usage("-MD needs -MF when the output is standard output");
  return {};
}

} // namespace

Result<CompileOptions> parse_command_line(std::span<const std::string> arguments) {
  const ParsedArguments parsed = TRY(parse_arguments(kOptions, arguments));
  CompileOptions options;
  for (const ParsedOption& option : parsed.options)
    TRY(apply(option, options));
  const bool wants_depfile = !options.depfile_path.empty() || !options.depfile_targets.empty();
  if (wants_depfile && !options.depfile)
    return Failure(make_error(Code::kUsage, "-MF and -MT say how -MD is done, which is missing"));
  std::vector<std::string> inputs = parsed.positional;
  inputs.insert(inputs.end(), parsed.rest.begin(), parsed.rest.end());
  if (options.targets.empty())
    options.targets.push_back(&targets::host());
  if (options.cpu == "native")
    TRY(choose_native_cpu(options));
  TRY(check_cpu(options));
  TRY(check_features(options));
  if (!needs_input(options.action))
    return options;
  if (inputs.empty())
    return Failure(
        make_error(Code::kUsage, "no input file").hint("bpf-aotc probe.bpf.o -o probe.so"));
  options.input = inputs[0];
  options.inputs = std::move(inputs);
  if (options.action == Action::compile)
    TRY(check_outputs(options));
  return options;
}

bool wants_json_errors(std::span<const std::string> arguments) {
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i)
    if (arguments[i] == "--error-format=json" ||
        (arguments[i] == "--error-format" && i + 1 < arguments.size() &&
         arguments[i + 1] == "json"))
      return true;
  return false;
}

std::vector<ReplayWord> replay_words(std::span<const std::string> arguments) {
  using Role = ReplayWord::Role;
  std::vector<ReplayWord> words;
  const auto parsed = parse_arguments(kOptions, arguments);
  if (!parsed)
    return words;
  for (const ParsedOption& option : parsed->options) {
    const OptionRow& row = kOptions[option.id];
    if (option.id == kOption_reproduce)
      continue;
    if (row.long_name.empty()) { // -W, -h
      words.push_back({Role::plain, std::string("-") + row.short_name + option.value, {}});
      continue;
    }
    std::string name = "--" + std::string(row.long_name);
    if (row.arg == OptionArg::none || (row.arg == OptionArg::optional && option.value.empty())) {
      words.push_back({Role::plain, std::move(name), {}});
      continue;
    }
    name += "=";
    if (option.id == kOption_resource_dir)
      words.push_back({Role::resource_dir, std::move(name), option.value});
    else if (option.id == kOption_output || option.id == kOption_depfile_path)
      words.push_back({Role::output, std::move(name), option.value});
    else if (option.id == kOption_emit && option.value.find('=') != std::string::npos)
      words.push_back({Role::output, name + option.value.substr(0, option.value.find('=') + 1),
                       option.value.substr(option.value.find('=') + 1)});
    else if (row.arg_name == "FILE")
      words.push_back({Role::input, std::move(name), option.value});
    else
      words.push_back({Role::plain, name + option.value, {}});
  }
  for (const std::vector<std::string>* inputs : {&parsed->positional, &parsed->rest})
    for (const std::string& input : *inputs)
      words.push_back({Role::input, {}, input});
  return words;
}

std::string help_text() {
  return "usage: bpf-aotc [options] IN.bpf.o... [-t ARCH] [-o OUT.so]\n\n"
         "Compiles eBPF programs to a native shared object that bpf-aot runs in processes.\n\n"
         "  bpf-aotc probe.bpf.o                             probe.so for this machine\n"
         "  bpf-aotc probe.bpf.o -t x86_64 -t aarch64 -o 'probe-%a.so'\n"
         "  bpf-aotc --verify-only --json probe.bpf.o        what the verifier says\n\n" +
         format_options(kOptions);
}

std::string short_help_text() {
  return "usage: bpf-aotc [options] IN.bpf.o... [-t ARCH] [-o OUT.so]\n"
         "  -o FILE            write FILE, default IN.so\n"
         "  -t ARCH            compile for ARCH (--print-targets), default this machine; "
         "repeatable\n"
         "  -O LEVEL           0 to 3 or s, default 2\n"
         "  --emit=STAGE       insns, cfg, facts, llvm-ir, asm, obj instead of a shared object\n"
         "  --verify-only      verify, write nothing; with --json as JSON\n"
         "  -l                 list programs and maps\n"
         "  --program=NAME     compile only this program\n"
         "  -Werror, -w        warnings are errors; no warnings\n"
         "  -v, --time-report  say what is done; how long each stage took\n"
         "  -V, --help         versions; every option\n"
         "\n"
         "  bpf-aotc probe.bpf.o\n"
         "  bpf-aotc probe.bpf.o -t x86_64 -t aarch64 -o 'probe-%a.so'\n";
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

std::string feature_table(const targets::Target& target) {
  std::string text = std::string(target.name) + ":\n";
  for (const targets::FeatureRow& row : target.features) {
    std::string line = "  " + std::string(row.name);
    line.resize(std::max<size_t>(line.size() + 1, 12), ' ');
    text += line + std::string(row.help);
    text += row.is_vector ? " (programs on buffers only)\n" : "\n";
  }
  return text;
}

std::string_view stage_name(Emit emit) {
  return kEmit[static_cast<size_t>(emit)].name;
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
