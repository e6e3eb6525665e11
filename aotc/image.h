// SPDX-License-Identifier: MIT
//
// Verified programs to the image of one machine: the part of the pipeline behind the gate.
#pragma once

#include "aotc/command_line.h"
#include "bpf/object.h"
#include "verifier/verifier.h"

#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace bpfaot::aotc {

struct ImageRequest {
  const CompileOptions& options;
  const targets::Target& target;
  const bpf::Object& object;
  std::span<const verifier::VerifiedProgram> programs;
  std::function<void(std::string_view stage)> finished; // called after each stage, may be empty
};

// The bytes that options.emit asks for, llvm-ir-unopt or later.
Result<std::vector<uint8_t>> make_image(const ImageRequest& request);
// What the linker is called with to make `output` from the programs' object, "probe.o".
std::vector<std::string> link_command(const ImageRequest& request, const std::string& output);

} // namespace bpfaot::aotc
