// SPDX-License-Identifier: MIT
//
// Images of bare programs run in a process of their own, natively or under qemu-user: a program
// that goes wrong takes the runner down and nobody else. What runs is conformance/run_image.c, a
// static program for each machine in the resource directory.
#pragma once

#include "support/result.h"
#include "targets/target.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::conformance {

struct RunResult {
  uint64_t r0 = 0;
  uint64_t memory_hash = 0; // of the memory afterwards, when there were inputs
};

// Why images of this machine cannot be run here; nothing when they can.
Status check_runner(const targets::Target& target, const std::string& resource_dir);

// Every program of the image once, in order; with inputs, every program once for each input of
// `input_size` bytes, which the module's first memory holds at the start. Fewer results than that:
// the program behind the last result did not come back. [io]
Result<std::vector<RunResult>> run_image(const targets::Target& target,
                                         const std::string& resource_dir,
                                         std::span<const uint8_t> image,
                                         std::span<const uint8_t> inputs = {},
                                         uint32_t input_size = 0);

// The hash that the runner gives, of the memory afterwards (FNV-1a, 64 bits).
uint64_t memory_hash(std::span<const uint8_t> bytes);

} // namespace bpfaot::conformance
