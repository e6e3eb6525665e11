// SPDX-License-Identifier: MIT
//
// A process whose code is to change while its threads run: an address space, and a way to keep the
// threads out of the bytes that change. Another process is held by ptrace; this one, before it has a
// second thread, needs nothing.
#pragma once

#include "loader/address_space.h"
#include "loader/proc_maps.h"
#include "targets/patch.h"

#include <cstdint>
#include <vector>

namespace bpfaot::loader {

// Code that is about to be replaced, and where the process can go on instead.
struct CoveredCode {
  uint64_t address = 0;
  uint32_t size = 0;        // bytes
  uint64_t trampoline = 0;  // `to` of `moved` counts from here
  std::vector<targets::MovedInsn> moved;
  bool from_start = false;  // a thread that is about to execute the first instruction moves too
};

enum class Leave : uint8_t {
  clear,   // no thread was in it
  entered, // a thread was, and goes on in the trampoline
  busy,    // a thread may come back to an instruction in it, and cannot be moved
};

struct CodeRange {
  uint64_t low = 0, high = 0;
};

class LiveSpace : public AddressSpace {
public:
  // Until release() no thread executes an instruction of the process. Idempotent. [process-busy]
  virtual Status hold() = 0;
  // Lets the threads go; with `keep` system calls that follow need not stop one anew.
  virtual void release(bool keep = false) = 0;
  // Of a held process: what it has mapped.
  virtual Result<std::vector<MapsEntry>> mapped();
  // Of a held process, for each of `codes`.
  virtual Result<std::vector<Leave>> leave(std::span<const CoveredCode> codes) = 0;
  // Of a held process: whether a thread's registers or stack hold an address in one of the ranges.
  // When that cannot be told they do.
  virtual Result<bool> refers_to(std::span<const CodeRange> ranges) = 0;
  // Of a held process: whether a thread executes code of the ranges, or will when the signal handlers return
  // that it is in. Addresses that merely lie on a stack do not count.
  virtual Result<bool> executes(std::span<const CodeRange> ranges) = 0;
};

} // namespace bpfaot::loader
