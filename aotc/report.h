// SPDX-License-Identifier: MIT
//
// What a run says about itself on standard output: --json of a compilation, and --stats as text.
// docs/json.md describes the JSON; its number changes when a reader would have to.
#pragma once

#include "aotc/analysis.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::aotc {

inline constexpr uint32_t kReportFormat = 1;     // reports on standard output
inline constexpr uint32_t kDiagnosticFormat = 1; // lines of --error-format=json

struct Output {
  std::string target, path; // "" when it is the same for every machine
  std::string_view stage;   // as --emit names it
  std::vector<uint8_t> bytes;
};

// {"programs":[…],"outputs":[{"target","stage","file","size","sha256"}]}; programs as
// verdicts_as_json() has them.
std::string compilation_as_json(std::span<const ProgramVerdict> verdicts,
                                std::span<const Output> outputs, bool with_stats);
// One line a program and a line of sums.
std::string stats_as_text(std::span<const ProgramVerdict> verdicts);

} // namespace bpfaot::aotc
