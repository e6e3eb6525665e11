// SPDX-License-Identifier: MIT
//
// Joins what the walk sees into Facts: per instruction the registers before it and its result,
// per function the stack it uses, and what the program does to the outside.
#pragma once

#include "verifier/liveness.h"
#include "verifier/state.h"
#include "verifier/verifier.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace bpfaot::verifier {

class Collector {
public:
  explicit Collector(const bpf::Program& program);

  // Before an instruction is walked: its live registers.
  void before(const State& state, uint16_t live_regs);
  // After it: the register that holds its result.
  void after(bpf::InsnIndex insn, const State& state, const RegState& result);
  // What a call through a register leads to: false when it led elsewhere before.
  bool calls_one(bpf::InsnIndex insn, bool is_function, uint32_t number) {
    const auto target = std::pair(is_function, number);
    return indirect_.emplace(insn, target).first->second == target;
  }
  // Whether a load or store is of the context: false when it was of other memory before, or now is.
  bool accesses_one(bpf::InsnIndex insn, bool is_ctx) {
    PerInsn& at = insns_[insn.value];
    (is_ctx ? at.of_ctx : at.of_other) = true;
    return !(at.of_ctx && at.of_other);
  }
  // Whether a lookup finds maps or values: false when it found the other before.
  bool looks_up_one(bpf::InsnIndex insn, bool is_of_maps) {
    return finds_maps_.emplace(insn, is_of_maps).first->second == is_of_maps;
  }
  void branch(bpf::InsnIndex insn, bool taken, bool not_taken);
  void stack_used(bpf::FuncId func, int64_t lowest_offset);
  void unwritten(bpf::FuncId func, const StackBytes& bytes);
  void tail_call(bpf::FuncId func) { functions_[func.value].tail_calls = true; }
  bool tail_calls(bpf::FuncId func) const { return functions_[func.value].tail_calls; }
  void helper(int32_t id) { helpers_.insert(id); }
  void ctx_read(bpf::InsnIndex insn) { ctx_reads_.insert(insn); }
  void raw_ctx(bpf::InsnIndex insn) { raw_ctx_.insert(insn); }
  void ctx_escapes() { ctx_escapes_ = true; }
  void output(bpf::InsnIndex insn, bpf::MapId map, uint64_t size_min, uint64_t size_max);

  uint32_t stack_depth(bpf::FuncId func) const { return functions_[func.value].depth; }
  // In the order of RegState::argument, from 0, before finish(): what holds for all calls.
  void argument(uint32_t align, bool shared) { arguments_.emplace_back(align, shared); }
  Facts finish(uint64_t steps) const;

private:
  struct Joined {
    bool seen = false;
    bool value_seen = false; // `value` holds something
    bool sized = false;      // `fact.object_size` holds something
    RegFact fact;
    Scalar value;
    bool unaligned = false; // an address in a packet was among them
    bool shared = false;    // arguments of different calls were
    uint32_t argument = 0;  // an argument of a global function was
  };
  struct PerInsn {
    bool reached = false, taken = false, not_taken = false;
    bool of_ctx = false, of_other = false;
    std::vector<Joined> regs; // 11 and the result; empty until reached
  };
  struct PerFunction {
    uint32_t depth = 0;
    StackBytes unwritten;
    bool tail_calls = false;
  };
  void join(Joined& joined, const State& state, const RegState& reg) const;
  uint32_t object_size(const RegState& reg) const;
  RegFact exported(const Joined& joined) const;

  const bpf::Program& program_;
  std::vector<PerInsn> insns_;
  std::vector<PerFunction> functions_;
  std::map<bpf::InsnIndex, std::pair<bool, uint32_t>> indirect_;
  std::vector<std::pair<uint32_t, bool>> arguments_;
  std::map<bpf::InsnIndex, bool> finds_maps_;
  std::set<int32_t> helpers_;
  std::set<bpf::InsnIndex> ctx_reads_, raw_ctx_;
  std::vector<OutputFact> outputs_;
  bool ctx_escapes_ = false;
};

} // namespace bpfaot::verifier
