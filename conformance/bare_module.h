// SPDX-License-Identifier: MIT
//
// Programs from bare instructions, without an object file around them: what ISA conformance cases
// are. Several of them share one module, as the programs of an object do, and become one image.
// They pass the same verifier as everything else.
//
// A program may have a memory: a data map of its own or of several programs. Two instructions in
// front of the program put its address into r1 and its length into r2 (both 0 without a memory).
#pragma once

#include "aotc/command_line.h"
#include "bpf/object.h"
#include "support/result.h"
#include "targets/target.h"
#include "verifier/verifier.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::conformance {

// Pairs of digits, blanks between them are skipped. Nothing when it is anything else.
std::optional<std::vector<uint8_t>> parse_hex(std::string_view text);

class BareModule {
public:
  explicit BareModule(std::string name);

  // A memory with these bytes at the start. At least one byte.
  bpf::MapId add_memory(std::span<const uint8_t> bytes);
  // Decodes, resolves and verifies. Jumps, local calls and function addresses (lddw kind 4) are
  // relative, as in a linked program of the kernel; other references have nothing to refer to and
  // are refused. Constant shift amounts are masked, as RFC 9669 says; the verifier refuses what
  // needs it. The index of the program, or why it is not accepted.
  Result<size_t> add(std::string name, std::span<const uint8_t> code,
                     std::optional<bpf::MapId> memory, uint64_t step_limit = 1'000'000);

  std::span<const verifier::VerifiedProgram> programs() const { return programs_; }
  size_t memory_size(bpf::MapId memory) const { return object_->maps[memory.value].value_size; }
  // One image with all programs, in their order.
  Result<std::vector<uint8_t>> compile(const targets::Target& target,
                                       const std::string& resource_dir, int opt_level = 2) const;
  // What the options say, an earlier stage for one.
  Result<std::vector<uint8_t>> compile(const targets::Target& target,
                                       const aotc::CompileOptions& options) const;

private:
  std::shared_ptr<bpf::Object> object_;
  std::vector<verifier::VerifiedProgram> programs_;
};

} // namespace bpfaot::conformance
