// SPDX-License-Identifier: MIT
//
// The state of a thread that makes system calls for the loader; shared by the files that implement
// Process, and by nobody else.
#pragma once

#include "loader/process.h"

#include <cstring>

namespace bpfaot::loader {

struct Process::Loan {
  int tid = 0;
  RegisterBytes registers; // its own, to be put back
  std::vector<RegisterBytes> more; // of Patcher::more_regsets; empty where it has none
  uint64_t mask = 0;       // its own
  bool masked = false;     // all signals are blocked
  Result<uint64_t> slack = uint64_t{0}; // room for the stub, or why there is none
  bool has_stub = false;
  targets::RemoteStub stub;
  uint64_t at = 0;            // of the marker; the stub follows it
  std::vector<uint8_t> under; // what lay there
  uint64_t stub_frame = 0; // where its frame is; 0 = with its code, or it has none
  std::vector<uint8_t> under_frame; // what lay there
  uint32_t signal = 0;        // that says the stub is done; 0 = calls are watched
  uint64_t scratch = 0;       // kScratch bytes there
  uint64_t scratch_hint = 0;  // where they would be in nobody's way
};

// Before the stub, so that one that a killed loader left behind is known.
constexpr uint8_t kStubMarker[16] = {'b', 'p', 'f', '-', 'a', 'o', 't', ' ', 's', 't', 'u', 'b', 0xcc, 0xcc, 0xcc, 0xcc};
constexpr uint64_t kScratch = 16384;
constexpr uint64_t kScratchPaths = 12288; // behind the table of calls
constexpr size_t kMaxSteps = 128;

inline uint64_t load_register(const RegisterBytes& registers, uint32_t offset) {
  uint64_t value = 0;
  if (offset + sizeof value <= registers.size())
    std::memcpy(&value, registers.data() + offset, sizeof value);
  return value;
}

} // namespace bpfaot::loader
