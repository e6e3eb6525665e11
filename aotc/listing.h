// SPDX-License-Identifier: MIT
//
// The stages before native code as text: instructions, control flow, facts.
#pragma once

#include "aotc/command_line.h"
#include "verifier/verifier.h"

#include <span>
#include <string>

namespace bpfaot::aotc {

// Emit::insns, cfg (for Graphviz) or facts.
std::string print_stage(Emit stage, std::span<const verifier::VerifiedProgram> programs);

} // namespace bpfaot::aotc
