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
#include <vector>

namespace bpfaot::loader {

// A system call that a process is to make. One argument may be a descriptor of the loader's, as the
// process has it for the time of the batch: args[file_argument] is then that of files[file].
struct SystemCall {
  uint64_t number = 0;
  std::array<uint64_t, 6> args{};
  int file = -1;
  uint32_t file_argument = 4; // mmap's
};

struct SharedFile {
  int fd = -1;
  bool writable = false;
};

class AddressSpace {
public:
  virtual ~AddressSpace() = default;

  virtual int pid() const = 0;
  // All of `out`, or [process-memory] naming the address.
  virtual Status read(uint64_t address, std::span<uint8_t> out) = 0;
  // Also into read-only and executable memory; the instruction cache is made coherent.
  virtual Status write(uint64_t address, std::span<const uint8_t> bytes) = 0;
  // Makes the process perform system calls, one after the other whatever their results: each as the
  // kernel gives it (-errno on error). So a call must do no harm when one before it has failed.
  // [process-seccomp] [remote-call]
  virtual Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls,
                                                    std::span<const SharedFile> files = {}) = 0;
  Result<int64_t> system_call(uint64_t number, std::initializer_list<uint64_t> args);

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
