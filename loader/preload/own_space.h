// SPDX-License-Identifier: MIT
//
// The memory of this very process as planning and patching see it. Only for a process with one
// thread, from its constructors: nobody else maps, unmaps or runs meanwhile.
#pragma once

#include "loader/live_space.h"
#include "loader/proc_maps.h"
#include "support/files.h"

#include <vector>

namespace bpfaot::loader {

class OwnSpace final : public LiveSpace {
public:
  // [preload-threads] [process-memory]
  static Result<OwnSpace> open();

  int pid() const override { return pid_; }
  Status read(uint64_t address, std::span<uint8_t> out) override;
  Status write(uint64_t address, std::span<const uint8_t> bytes) override;
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls,
                                            std::span<const SharedFile> files = {}) override;
  // Nobody runs but the constructor that asks, which is in no code that changes.
  Status hold() override { return {}; }
  void release(bool) override {}
  Result<std::vector<Leave>> leave(std::span<const CoveredCode> codes) override {
    return std::vector<Leave>(codes.size(), Leave::clear);
  }
  Result<bool> refers_to(std::span<const CodeRange>) override { return true; } // this stack was not looked at
  Result<bool> executes(std::span<const CodeRange>) override { return true; }
  // An emulator of user programs runs this one: the kernel knows another process than we see.
  bool is_emulated() const { return is_emulated_; }

private:
  OwnSpace() = default;
  Status refresh();
  Status check_single_thread() const;
  // [address, address + size) lies in mapped memory, all of it readable (and writable).
  bool holds(uint64_t address, uint64_t size, bool writable) const;
  Status write_protected(uint64_t address, std::span<const uint8_t> bytes);
  Failure cannot(const char* verb, uint64_t address) const;

  int pid_ = 0;
  bool is_emulated_ = false;
  bool is_current_ = false; // maps_ is what the process has mapped
  UniqueFd memory_;         // /proc/self/mem
  std::vector<MapsEntry> maps_;
};

} // namespace bpfaot::loader
