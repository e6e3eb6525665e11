// SPDX-License-Identifier: MIT
//
// bpf-aotc's command line as values. Knows words, not what is done with them.
#pragma once

#include "bpf/program.h"
#include "support/result.h"
#include "targets/target.h"

#include <cstdint>
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
  version,
  print_targets,
  print_resource_dir,
  print_cpus
};

struct CompileOptions {
  Action action = Action::compile;
  std::string input;
  std::string output;                          // "" = from the input's name; %a = machine
  std::vector<const targets::Target*> targets; // at least one
  Emit emit = Emit::shared_object;
  std::vector<std::string> programs, sections;            // empty = all
  bpf::CtxMachine ctx_machine = bpf::CtxMachine::unknown; // unknown = as the object says
  std::string cpu;                                        // "" = the target's default
  std::string btf;                                        // file of types for CO-RE, "" = none
  std::string resource_dir;                               // "" = beside the executable
  uint64_t step_limit = 1'000'000;
  int opt_level = 2;
  bool fix_maps = false;
  bool json = false, verbose = false, time_report = false, print_link = false;

  bool json_errors = false, warnings_are_errors = false, no_warnings = false;
  size_t error_limit = 20;
  enum class Color : uint8_t { automatic, always, never } color = Color::automatic;
};

Result<CompileOptions> parse_command_line(std::span<const std::string> arguments);
std::string help_text();
std::string version_text();
std::string target_list();
std::string cpu_list(const targets::Target& target);

// "probe.bpf.o" gives "probe.so", with the extension of the stage.
std::string default_output(const std::string& input, Emit emit);
// Replaces %a; several targets without %a would overwrite each other and are a usage error.
Result<std::string> output_for(const CompileOptions& options, const targets::Target& target);

} // namespace bpfaot::aotc
