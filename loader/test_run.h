// SPDX-License-Identifier: MIT
//
// Running one program on a buffer, as BPF_PROG_TEST_RUN does: r1 is a writable copy of the data,
// which lives from run to run, as the maps do. The run happens in a child process: a crash is an
// error here, not the end of the tool.
#pragma once

#include "loader/image.h"
#include "loader/session.h"
#include "support/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bpfaot::loader {

constexpr uint64_t kRunsPerBatch = 2000;
constexpr uint64_t kTestBuffer = 64 << 10; // the smallest buffer that a program gets
constexpr uint64_t kMaxTestData = 1 << 20;

struct TestResult {
  uint32_t retval = 0;     // of the first run
  double ns_per_run = 0;   // least mean over batches of kRunsPerBatch runs
  uint64_t repeat = 0;
  uint64_t missed = 0;     // runs that the entry guard refused
  std::vector<uint8_t> data; // after the last run: as long as the input, or the packet as it is then
};

// [test-run] [session-memory]
Result<TestResult> run_on_buffer(const Image& image, const Session& session, uint32_t program,
                                 std::span<const uint8_t> data, uint64_t repeat);

} // namespace bpfaot::loader
