// SPDX-License-Identifier: MIT
//
// The memory of a process as planning and patching see it: another process under ptrace, or this
// one. All addresses are of that process.
#pragma once

#include "support/result.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace bpfaot::loader {

class AddressSpace {
public:
  virtual ~AddressSpace() = default;

  virtual int pid() const = 0;
  // All of `out`, or [process-memory] naming the address.
  virtual Status read(uint64_t address, std::span<uint8_t> out) = 0;
  // Also into read-only and executable memory; the instruction cache is made coherent.
  virtual Status write(uint64_t address, std::span<const uint8_t> bytes) = 0;
  // Makes the process perform a system call; its result as the kernel gives it (-errno on error).
  // Only while the process is stopped.
  virtual Result<int64_t> system_call(uint64_t number, std::initializer_list<uint64_t> args) = 0;

  template <class T> Result<T> read_object(uint64_t address) {
    T value{};
    TRY(read(address, {reinterpret_cast<uint8_t*>(&value), sizeof value}));
    return value;
  }
  template <class T> Status write_object(uint64_t address, const T& value) {
    return write(address, {reinterpret_cast<const uint8_t*>(&value), sizeof value});
  }
  // A NUL-terminated string of at most `limit` bytes.
  Result<std::string> read_string(uint64_t address, size_t limit = 4096);
};

} // namespace bpfaot::loader
