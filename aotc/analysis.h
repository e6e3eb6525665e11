// SPDX-License-Identifier: MIT
//
// From an object to a verdict for each of its programs. One bad program does not hide the others.
#pragma once

#include "aotc/command_line.h"
#include "bpf/core_resolve.h"
#include "bpf/object.h"
#include "support/diagnostic.h"
#include "verifier/verifier.h"

#include <memory>
#include <optional>
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
};

// The programs that the options select, in file order. `types`: what CO-RE relocations are resolved
// against; null = those that need it are refused.
std::vector<ProgramVerdict> analyse(const std::shared_ptr<const bpf::Object>& object,
                                    const CompileOptions& options,
                                    const std::shared_ptr<const bpf::CoreTypes>& types = nullptr);

// {"programs":[{"section","name","verdict","code","message","file","line","insn"}]}
std::string verdicts_as_json(const std::vector<ProgramVerdict>& verdicts);
std::string verdicts_as_text(const std::vector<ProgramVerdict>& verdicts);
// --list
std::string list_as_text(const bpf::Object& object);
std::string list_as_json(const bpf::Object& object);

} // namespace bpfaot::aotc
