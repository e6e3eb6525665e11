// SPDX-License-Identifier: MIT
//
// Cases of the instruction set: a program, its memory, and what it returns or why it is refused.
#pragma once

#include "bpf/program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bpfaot::tests {

struct IsaCase {
  std::string name;
  std::vector<uint8_t> code, memory;
  uint64_t expected = 0;
  std::string refusal; // the diagnostic's code; "" = accepted
};

// The rows of a file in the form of tests/data/conformance.tsv.
std::vector<IsaCase> public_cases(const std::string& path);
// Our own: every trap of the instruction set that an implementation can fall into.
std::vector<IsaCase> trap_cases();
// The bytes of an assembled program.
std::vector<uint8_t> encoded(const bpf::Program& program);

} // namespace bpfaot::tests
