// SPDX-License-Identifier: MIT
//
// The gate. verify() walks every path of a program and is the only maker of VerifiedProgram, which
// is the only thing the lowering accepts. What cannot be proven is rejected or unsupported.
#pragma once

#include "bpf/program.h"
#include "support/diagnostic.h"
#include "support/result.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace bpfaot::verifier {

inline constexpr uint32_t kVerifierVersion = 1;

// One readable (or writable) field of a program kind's context, as the object sees it.
enum class CtxValue : uint8_t {
  number,
  kernel_pointer, // unsupported
  packet,         // addresses of the packet; the field has four bytes, the value is an address
  packet_end,
  packet_meta,
};
struct CtxField {
  uint32_t offset, size; // bytes in the layout that the object was compiled for
  bool writable = false;
  bool any_width = false; // narrower stores are fine too
  CtxValue value = CtxValue::number;
  bool whole = false; // no narrower loads
  std::string_view name = {};
};
struct CtxLayout {
  std::string name;             // "pt_regs of x86_64"
  uint32_t size = 0;            // bytes; 0 = no field may be read
  std::vector<CtxField> fields; // sorted by offset; empty with size > 0 = any in-bounds access
  bool writable = false;        // with no fields: stores are allowed too (SEC("syscall"))
};

struct Options {
  CtxLayout ctx;
  uint64_t step_limit = 1'000'000; // instructions walked, the kernel's own limit
  uint64_t memory_limit = 0;       // bytes of states, 0 = default
  bool prune = true;               // off in tests only: every path is walked to its end
};

// What a register holds, joined over every path and calling context that reaches an instruction.
enum class Kind : uint8_t {
  none, // unreachable, dead, or never written on any path
  scalar,
  ctx,
  map_handle, // map is valid when all paths agree
  map_value,
  stack,  // frame pointer of function `func` plus offset
  memory, // ring-buffer record or other memory of known size
  packet, // the packet, its end, or its metadata
  function,
  pointer, // pointers of different kinds on different paths
  mixed,   // pointer on one path and scalar on another, or only sometimes written
};

struct Range64 { // of scalars; for pointers: of the offset from the object's start
  int64_t smin = INT64_MIN, smax = INT64_MAX;
  uint64_t umin = 0, umax = UINT64_MAX;
  uint32_t u32_min = 0, u32_max = UINT32_MAX;
  uint64_t known_mask = 0, known_value = 0; // bits known to be known_value
  bool is_constant() const { return umin == umax; }
};

struct RegFact {
  Kind kind = Kind::none;
  bool maybe_null = false; // pointer kinds: on some path the register is null, i.e. the number 0
  bpf::MapId map;          // map_handle, map_value
  bpf::FuncId func;        // stack: whose frame; function: which
  Range64 range;
  uint32_t object_size = 0; // bytes, pointers to sized objects
  uint32_t align = 1;       // of the address, power of two
  bool shared = false;      // memory: may be a value of a map, which other processes write
};

struct InsnFacts {
  bool reached = false;
  bool branch_taken = false, branch_not_taken = false; // Branch: which edges are feasible
  std::array<RegFact, 11> before; // registers before the instruction; dead ones have Kind::none
  RegFact result; // after it: the register it defines (r0 for calls, also local ones that return)
};

struct ByteRange { // in a frame: offsets from r10, [begin, end), negative
  int32_t begin, end;
};

struct FunctionFacts {
  uint32_t stack_depth = 0;         // bytes below r10 that are used
  std::vector<ByteRange> unwritten; // may be read before they are written: the lowering zeroes them
  bool tail_calls = false; // it may end by a tail call: another program then returns for it
};

// A record handed to a ring buffer or perf event array: what the event types are found from.
struct OutputFact {
  bpf::InsnIndex insn;
  bpf::MapId map;
  uint64_t size_min = 0, size_max = 0; // bytes
};

struct Facts {
  std::vector<InsnFacts> insns;         // by InsnIndex
  std::vector<FunctionFacts> functions; // by FuncId
  std::vector<OutputFact> outputs;
  std::vector<int32_t> helpers;          // ids reached, sorted
  std::vector<bpf::InsnIndex> ctx_reads; // loads from the context
  std::vector<bpf::InsnIndex> raw_ctx;   // calls that get the address of the context as memory
  bool ctx_escapes = false;              // its address is a number or with a helper that knows it
  uint64_t steps = 0;                    // instructions walked
};

class VerifiedProgram {
public:
  const bpf::Program& program() const { return *program_; }
  const Facts& facts() const { return *facts_; }

private:
  friend class Gate; // verifier/verify.cpp
  VerifiedProgram(std::shared_ptr<const bpf::Program> program, std::shared_ptr<const Facts> facts)
      : program_(std::move(program)), facts_(std::move(facts)) {}
  std::shared_ptr<const bpf::Program> program_;
  std::shared_ptr<const Facts> facts_;
};

// On failure the Diagnostic has code, source location, slot, instruction text, value found and
// needed; its code's Verdict says reject or unsupported.
Result<VerifiedProgram> verify(std::shared_ptr<const bpf::Program> program, const Options& options);

} // namespace bpfaot::verifier
