// SPDX-License-Identifier: MIT
//
// A program from bare instructions, without an object file around it: what ISA conformance cases
// are. The memory of a case becomes a data map, and two instructions before the program put its
// address into r1 and its length into r2.
#pragma once

#include "bpf/program.h"
#include "support/result.h"
#include "targets/target.h"
#include "verifier/verifier.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bpfaot::tests {

std::optional<std::vector<uint8_t>> parse_hex(std::string_view text); // blanks are skipped

Result<verifier::VerifiedProgram> verify_raw(std::span<const uint8_t> code,
                                             std::span<const uint8_t> memory);
// The image for a machine; `resource_dir` has the runtime's bitcode.
Result<std::vector<uint8_t>> compile_raw(const verifier::VerifiedProgram& program,
                                         const targets::Target& target,
                                         const std::string& resource_dir);

} // namespace bpfaot::tests
