// SPDX-License-Identifier: MIT
//
// What bare programs meet in the interpreter: one memory, and the helper that conformance cases
// call.
#pragma once

#include "tests/tools/interpreter.h"

namespace bpfaot::tests {

class BareWorld : public World {
public:
  BareWorld(Memory& memory, std::vector<uint8_t> bytes)
      : region_(memory.add("the memory", std::move(bytes))) {}
  // What a program reads of its stack before it writes there is zero.
  void enter(bpf::FuncId, Region& frame) override {
    frame.bytes.assign(frame.bytes.size(), 0);
  }
  uint64_t map_value(bpf::MapId) override { return region_.base; }
  std::optional<uint64_t> call_helper(int32_t id, const std::array<uint64_t, 5>&) override {
    return id == 5 ? std::optional<uint64_t>(1) : std::nullopt; // the clock
  }
  const std::vector<uint8_t>& bytes() const { return region_.bytes; }

private:
  Region& region_;
};

} // namespace bpfaot::tests
