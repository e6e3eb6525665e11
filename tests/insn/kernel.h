// SPDX-License-Identifier: MIT
//
// The kernel as one more machine for bare programs: BPF_PROG_TEST_RUN of SEC("syscall") programs
// whose memory is an array map.
#pragma once

#include "conformance/runner.h"
#include "support/files.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::tests {

class Kernel {
public:
  // Why the kernel here runs no programs, or the one that does.
  static Result<Kernel> create(uint32_t memory_size);

  // One result for each input; of r0 the low 32 bits, which are all that the kernel gives. Nothing:
  // the kernel refuses the program.
  std::optional<std::vector<conformance::RunResult>> run(std::span<const uint8_t> code,
                                                         std::span<const uint8_t> inputs) const;

private:
  Kernel(UniqueFd map, uint32_t memory_size) : map_(std::move(map)), memory_size_(memory_size) {}

  UniqueFd map_;
  uint32_t memory_size_;
};

} // namespace bpfaot::tests
