// SPDX-License-Identifier: MIT
//
// The stages in their order. Everything the tool prints or writes passes through the caller.
#pragma once

#include "aotc/command_line.h"
#include "support/diagnostic.h"

#include <string>

namespace bpfaot::aotc {

struct Outcome {
  std::string report;   // for standard output
  std::string progress; // for standard error: -v, --time-report, -###
  bool failed = false;
};

// Diagnostics go to `sink`; files are written whole or not at all.
Outcome run_compiler(const CompileOptions& options, DiagSink& sink);

} // namespace bpfaot::aotc
