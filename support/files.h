// SPDX-License-Identifier: MIT
//
// Files and descriptors that close themselves. Output appears whole or not at all.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bpfaot {

class UniqueFd {
public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept { reset(other.release()); return *this; }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { const int fd = fd_; fd_ = -1; return fd; }
  void reset(int fd = -1);

private:
  int fd_ = -1;
};

// A mapping of this process, unmapped on destruction.
class Mapping {
public:
  Mapping() = default;
  Mapping(void* address, size_t size) : address_(address), size_(size) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  uint8_t* data() const { return static_cast<uint8_t*>(address_); }
  size_t size() const { return size_; }
  explicit operator bool() const { return address_ != nullptr; }

private:
  void* address_ = nullptr;
  size_t size_ = 0;
};

// Zeros that the kernel fills in at once, for memory that will be used whole; nothing for size 0. [io]
Result<Mapping> map_zeros(size_t size);
// Whole file; "-" is standard input. [io]
Result<std::vector<uint8_t>> read_file(const std::string& path, uint64_t size_limit = 1ull << 30);
// Written beside `path` and renamed over it; "-" is standard output. On failure nothing is left. [io]
Status write_file_atomically(const std::string& path, std::span<const uint8_t> bytes, int mode = 0644);

} // namespace bpfaot
