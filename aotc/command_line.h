// SPDX-License-Identifier: MIT
//
// bpf-aotc's command line as values. Knows words, not what is done with them.
#pragma once

#include "aotc/warnings.h"
#include "bpf/program.h"
#include "support/result.h"
#include "support/value.h"
#include "targets/target.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::aotc {

// Where to stop, in the order of the stages.
enum class Emit : uint8_t {
  insns,
  cfg,
  facts,
  llvm_ir_unopt,
  llvm_ir,
  assembly,
  object,
  shared_object
};

enum class Action : uint8_t {
  compile,
  verify,
  list,
  help,
  short_help,
  version,
  print_targets,
  print_resource_dir,
  print_cpus,
  print_features,
  explain
};

struct CompileOptions {
  Action action = Action::compile;
  std::string input;                // the first; outputs are called after it
  std::vector<std::string> inputs;  // several are linked into one
  std::string output;                          // "" = from the input's name; %a = machine
  std::vector<const targets::Target*> targets; // at least one
  Emit emit = Emit::shared_object;
  std::vector<std::string> programs, sections;            // empty = all
  bpf::CtxMachine ctx_machine = bpf::CtxMachine::unknown; // unknown = as the object says
  std::string cpu;                                        // "" = the target's default
  std::vector<targets::FeatureChoice> features;           // --mattr, in its order
  std::vector<Setting> settings, configuration;          // --set, --kconfig
  std::string btf;                                        // file of types for CO-RE, "" = none
  std::string resource_dir;                               // "" = beside the executable
  uint64_t step_limit = 1'000'000;
  int opt_level = 2;
  bool optimise_size = false; // -Os: level 2, and prefer small code
  std::optional<bool> debug; // -g, -g0
  bool fix_maps = false;
  bool json = false, time_report = false, print_link = false, stats = false;
  unsigned verbosity = 0;                                   // how many -v
  std::vector<std::string> linker_arguments, llvm_arguments; // after our own
  bool depfile = false;
  std::string depfile_path;                 // "" = the output's name with .d
  std::vector<std::string> depfile_targets; // empty = the outputs
  std::string reproduce;                    // "" = none
  std::string explained;                    // a code, or help

  WarningPolicy warnings;
  bool json_errors = false;
  size_t error_limit = 20;
  enum class Color : uint8_t { automatic, always, never } color = Color::automatic;
};

// Response files are expanded by the caller.
Result<CompileOptions> parse_command_line(std::span<const std::string> arguments);
// Whether a command line that may be wrong asks for diagnostics as JSON.
bool wants_json_errors(std::span<const std::string> arguments);
std::string help_text();
std::string short_help_text();

// A word of a command line for another place: what names a file can be renamed.
struct ReplayWord {
  enum class Role : uint8_t { plain, input, output, resource_dir } role = Role::plain;
  std::string before; // "--option=", or the whole word when it is plain
  std::string path;
};
// The words of a right command line without --reproduce, in order.
std::vector<ReplayWord> replay_words(std::span<const std::string> arguments);

std::string target_list();
std::string cpu_list(const targets::Target& target);
std::string feature_table(const targets::Target& target); // a line for each

// Text is read by people: it has debug information only when that is asked for.
inline bool has_debug_info(const CompileOptions& options) {
  return options.debug.value_or(options.emit >= Emit::object);
}

std::string_view stage_name(Emit emit); // as --emit names it
// "probe.bpf.o" gives "probe.so", with the extension of the stage.
std::string default_output(const std::string& input, Emit emit);
// Replaces %a; several targets without %a would overwrite each other and are a usage error.
Result<std::string> output_for(const CompileOptions& options, const targets::Target& target);

} // namespace bpfaot::aotc
