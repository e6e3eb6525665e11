// SPDX-License-Identifier: MIT
//
// The reference interpreter: what RFC 9669 and the kernel's uapi say, instruction by instruction,
// in the plainest form there is. It is what native code is compared with, so nothing here is fast,
// nothing is shared with the compiler but the decoded program, and nothing is trusted: a read of an
// unwritten register, an access outside of memory, a call of nothing end the run with a problem.
//
// Memory is a set of regions at invented addresses with large gaps between them. A pointer is a
// number; whose it is follows from its address alone. Each byte knows whether it was written.
#pragma once

#include "bpf/program.h"

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::tests {

struct Region {
  std::string owner; // for messages: "frame 2 of f", "map .data"
  uint64_t base = 0;
  std::vector<uint8_t> bytes;
  std::vector<bool> written; // shadow, one for each byte
  bool writable = true;
  bool live = true; // false: freed, every access is a problem

  uint64_t end() const { return base + bytes.size(); }
  bool contains(uint64_t address, uint64_t size) const {
    return address >= base && size <= bytes.size() && address - base <= bytes.size() - size;
  }
};

class Memory {
public:
  // A region with these bytes, all of them written. Its base is a multiple of 4096. The reference
  // stays valid.
  Region& add(std::string owner, std::vector<uint8_t> bytes, bool writable = true);
  // The live region that holds all of these bytes; null when there is none.
  Region* find(uint64_t address, uint64_t size);
  // The region that an address lies in or next to, live or not, for messages.
  std::string describe(uint64_t address) const;

private:
  void forget_freed();

  std::list<Region> regions_;
  uint64_t next_ = 0x5000'0000'0000;
};

class Interpreter;

// What the program meets besides its own instructions. Each function is called at the moment that
// its name says; a text that is not empty is a problem and ends the run.
class World {
public:
  virtual ~World() = default;
  virtual std::string before(const Interpreter&, bpf::InsnIndex) { return {}; }
  virtual std::string branch(bpf::InsnIndex, bool /*taken*/) { return {}; }
  // A frame before its first instruction: 512 bytes, unwritten, with contents that say so.
  virtual void enter(bpf::FuncId, Region& /*frame*/) {}
  // r0 of a helper call, or nothing when there is no such helper here.
  virtual std::optional<uint64_t> call_helper(int32_t /*id*/, const std::array<uint64_t, 5>&) {
    return std::nullopt;
  }
  // The address that a map's handle, or the value of a data map, has here.
  virtual uint64_t map_handle(bpf::MapId) { return 0; }
  virtual uint64_t map_value(bpf::MapId) { return 0; }
  // What LD_ABS and LD_IND read; nothing: the program kind has no packet.
  virtual std::optional<std::span<const uint8_t>> packet() { return std::nullopt; }
};

struct Outcome {
  std::optional<uint64_t> r0; // of a run that came to its end
  std::string problem;        // else: what, and at which instruction
};

class Interpreter {
public:
  static constexpr uint64_t kMayGotoBudget = 8'388'608; // the kernel's BPF_MAX_LOOPS, per frame

  Interpreter(const bpf::Program& program, Memory& memory, World& world,
              uint64_t step_limit = 1'000'000)
      : program_(program), memory_(memory), world_(world), step_limit_(step_limit) {}

  // Runs the program with these values in r1, r2, … and nothing in other registers.
  Outcome run(std::span<const uint64_t> arguments);

  // During a run.
  uint64_t reg(uint8_t number) const { return top().regs[number]; }
  bool is_written(uint8_t number) const { return (top().written >> number & 1) != 0; }
  size_t depth() const { return frames_.size(); }
  // r10 of the innermost frame of a function that is on the call stack.
  std::optional<uint64_t> frame_of(bpf::FuncId function) const;
  static uint64_t function_address(bpf::FuncId function) {
    return 0x3000'0000'0000 + uint64_t{function.value} * 16;
  }

private:
  struct Frame {
    bpf::FuncId function;
    std::array<uint64_t, 11> regs{};
    uint16_t written = 0;
    uint64_t budget = kMayGotoBudget;
    Region* stack = nullptr;
    bpf::InsnIndex return_to;
  };

  const Frame& top() const { return frames_.back(); }
  Frame& top() { return frames_.back(); }
  void enter(bpf::FuncId function, bpf::InsnIndex return_to);
  uint64_t read(bpf::Reg r);
  void write(bpf::Reg r, uint64_t value);
  uint64_t read(const bpf::Operand& operand);
  uint64_t load(uint64_t address, uint32_t size);
  void store(uint64_t address, uint32_t size, uint64_t value);
  void call(bpf::FuncId function);
  void call_helper(int32_t id);
  void problem(std::string text);

  void on(const bpf::Alu& insn);
  void on(const bpf::Neg& insn);
  void on(const bpf::MovSx& insn);
  void on(const bpf::ByteSwap& insn);
  void on(const bpf::AddrSpaceCast& insn);
  void on(const bpf::LoadImm64& insn);
  void on(const bpf::Load& insn);
  void on(const bpf::Store& insn);
  void on(const bpf::Atomic& insn);
  void on(const bpf::LoadAcquire& insn);
  void on(const bpf::StoreRelease& insn);
  void on(const bpf::LegacyPacketLoad& insn);
  void on(const bpf::Jump& insn);
  void on(const bpf::Branch& insn);
  void on(const bpf::MayGoto& insn);
  void on(const bpf::CallHelper& insn);
  void on(const bpf::CallLocal& insn);
  void on(const bpf::CallKfunc& insn);
  void on(const bpf::CallIndirect& insn);
  void on(const bpf::Exit& insn);

  const bpf::Program& program_;
  Memory& memory_;
  World& world_;
  const uint64_t step_limit_;
  std::vector<Frame> frames_;
  bpf::InsnIndex pc_, next_;
  Outcome outcome_;
  bool over_ = false;
};

} // namespace bpfaot::tests
