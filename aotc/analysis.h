// SPDX-License-Identifier: MIT
//
// From an object to a verdict for each of its programs. One bad program does not hide the others.
#pragma once

#include "aotc/command_line.h"
#include "bpf/core_resolve.h"
#include "bpf/object.h"
#include "support/diagnostic.h"
#include "support/json.h"
#include "verifier/verifier.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::aotc {

struct ProgramVerdict {
  std::string section, name;
  bool is_supported_kind = false;
  bool is_buffer_kind = false; // packets: no tool runs these yet beyond what the verifier knows
  std::shared_ptr<const bpf::Program> program;       // null when it does not link
  std::optional<verifier::VerifiedProgram> verified; // exactly one of these two
  std::optional<Diagnostic> fault;
  std::vector<Diagnostic> warnings; // about an accepted program
};

// Every --program and --section must be there. [program-unknown] names the nearest.
Status check_selection(const bpf::Object& object, const CompileOptions& options);

// What CO-RE relocations are resolved against.
struct CoreWorld {
  std::shared_ptr<const bpf::CoreTypes> given;   // --btf, or null
  std::shared_ptr<const bpf::CoreTypes> process; // of the kernel's, what a process has
};

// The programs that the options select, in file order.
std::vector<ProgramVerdict> analyse(const std::shared_ptr<const bpf::Object>& object,
                                    const CompileOptions& options, const CoreWorld& world = {});

// What a program costs; nothing for one that is not accepted.
struct ProgramStats {
  uint32_t insns = 0;     // slots
  uint64_t walked = 0;    // instructions that the verifier walked
  uint32_t functions = 0; // with the entry
  uint32_t stack = 0;     // bytes of eBPF stack of the largest function
  uint32_t helpers = 0;   // different ones
};
std::optional<ProgramStats> stats_of(const ProgramVerdict& verdict);

// "programs":[{"section","name","verdict","code","message","file","line","insn"}] into an object
void write_verdicts(JsonWriter& json, std::span<const ProgramVerdict> verdicts, bool with_stats);
std::string verdicts_as_json(std::span<const ProgramVerdict> verdicts, bool with_stats = false);
std::string verdicts_as_text(std::span<const ProgramVerdict> verdicts);
// --list
std::string list_as_text(const bpf::Object& object);
std::string list_as_json(const bpf::Object& object);

} // namespace bpfaot::aotc
