// SPDX-License-Identifier: MIT
//
// A process whose code is to change while its threads run: an address space, and a way to keep the
// threads out of the bytes that change. Another process is held by ptrace; this one, before it has a
// second thread, needs nothing.
#pragma once

#include "loader/address_space.h"
#include "targets/patch.h"

#include <cstdint>
#include <vector>

namespace bpfaot::loader {

// Whole instructions that a jump is about to replace, and where the process can go on instead.
struct CoveredCode {
  uint64_t address = 0;
  uint32_t size = 0;        // bytes
  uint64_t trampoline = 0;  // `to` of `moved` counts from here
  std::vector<targets::MovedInsn> moved;
};

class LiveSpace : public AddressSpace {
public:
  // Until release() no thread executes an instruction of the process. Idempotent.
  virtual Status hold() = 0;
  virtual void release() = 0;
  // Of a held process: a thread that stands behind the first instruction of the covered bytes goes on
  // at that instruction's copy. True when one does. [attach-bytes]
  virtual Result<bool> leave(const CoveredCode& code) = 0;
};

} // namespace bpfaot::loader
