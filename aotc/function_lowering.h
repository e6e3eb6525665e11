// SPDX-License-Identifier: MIT
//
// One eBPF function to one LLVM function.
//
// The dual register file. A register is untyped: now an integer, now a pointer. LLVM optimises a
// pointer well only when it never was an integer. So each register is two stack cells, one i64 and
// one ptr; a definition writes both (one by conversion) and a use reads the one that the verifier's
// facts say it is. LLVM's first pass turns cells into values and the conversions that nobody reads
// disappear. Where paths disagree (Kind::mixed) the integer cell is read: slower, always right.
//
// Nothing here may be undefined for LLVM: every case that eBPF defines and LLVM does not (division
// by zero, wide shifts, INT_MIN / -1) is written out, there is no nsw, no inbounds, no
// mustprogress, and instructions that the verifier never reached trap.
//
// Memory rules (issue: a load of shared memory must not be repeated after a check):
//   stack frames, ring-buffer records, contexts, .rodata: plain;
//   values of maps, and whatever is not known better: `unordered` when naturally aligned, byte by
//   byte (each byte unordered) when not, since an under-aligned atomic becomes a library call.
#pragma once

#include "aotc/context_layout.h"
#include "aotc/module_lowering.h"
#include "bpf/helpers.h"

#include <array>
#include <map>
#include <optional>

namespace bpfaot::aotc {

// The LLVM functions of one program, by FuncId, and what lowering finds out about the program.
struct ProgramLowering {
  ModuleLowering& module;
  const verifier::VerifiedProgram& verified;
  std::vector<llvm::Function*> functions;
  LoweredProgram result;
  // By FuncId: bytes of the frame that helpers done on the spot read; empty until somebody asked.
  std::optional<std::vector<std::vector<verifier::ByteRange>>> stack_reads = {};
  std::map<uint32_t, llvm::Function*> callbacks = {}; // by FuncId
  std::vector<bool> may_throw = {};                   // by FuncId

  const bpf::Program& program() const { return verified.program(); }
  const verifier::Facts& facts() const { return verified.facts(); }
  void find_throws();
  // A diagnostic about an instruction: program, source line, slot, text.
  // The form in which minirt calls a function back: i64 (env, i64, ptr, ptr, ptr).
  llvm::Function* callback(bpf::FuncId id);
  Failure fail_at(bpf::InsnIndex insn, Code code, std::string message) const;
};

inline bool is_pointer(verifier::Kind kind) {
  using verifier::Kind;
  return kind == Kind::ctx || kind == Kind::map_handle || kind == Kind::map_value ||
         kind == Kind::stack || kind == Kind::memory || kind == Kind::packet ||
         kind == Kind::function || kind == Kind::pointer;
}

class FunctionLowering {
public:
  FunctionLowering(ProgramLowering& program, bpf::FuncId id);
  Status run();

private:
  struct Access { // of memory
    llvm::Value* address;
    uint32_t size;
    llvm::Align align;
    bool shared = false;    // other processes may write it
    bool invariant = false; // nobody writes it
    bool frame = false;     // the program's own stack
    uint32_t kept_bits = 64; // a store keeps only so many
  };

  // function_lowering.cpp: blocks, registers, stack, control flow
  void create_cells();
  void create_frame();
  void create_blocks();
  void store_arguments();
  Status lower_insn();
  Status lower(const bpf::Jump& insn);
  Status lower(const bpf::Branch& insn);
  Status lower(const bpf::MayGoto& insn);
  Status lower(const bpf::Exit& insn);
  Status lower(const bpf::LoadImm64& insn);
  Status unsupported(const char* what);
  llvm::Value* compare(const bpf::Branch& insn);
  bool lower_switch(const bpf::Branch& insn); // lower_switch.cpp
  void trap();

  // lower_alu.cpp
  Status lower(const bpf::Alu& insn);
  Status lower(const bpf::Neg& insn);
  Status lower(const bpf::MovSx& insn);
  Status lower(const bpf::ByteSwap& insn);
  bool lower_pointer_alu(const bpf::Alu& insn);
  llvm::Value* divide(const bpf::Alu& insn, llvm::Value* dst, llvm::Value* src);
  llvm::Value* divide_signed(bool remainder, llvm::Value* dst, llvm::Value* src);
  bool divisor_is_proven(const bpf::Alu& insn) const;

  // lower_memory.cpp
  Status lower(const bpf::Load& insn);
  Status lower(const bpf::Store& insn);
  Status lower(const bpf::Atomic& insn);
  Status lower(const bpf::LoadAcquire& insn);
  Status lower(const bpf::StoreRelease& insn);
  Result<Access> access(bpf::Reg base, int16_t off, uint32_t size, bool is_store);
  Result<Access> context_access(const verifier::RegFact& fact, bpf::Reg base, int16_t off,
                                uint32_t size, bool is_store);
  Result<Access> packet_context_access(bpf::Reg base, int16_t off, uint32_t size, bool is_store);
  std::optional<uint64_t> packet_address(const bpf::Load& insn) const;
  llvm::Value* load(const Access& access);
  void store(const Access& access, llvm::Value* value);
  void fence_after_fetch(bool compare_exchange);
  bool next_is_pointer(bpf::Reg reg) const;

  // lower_packet.cpp
  Status lower(const bpf::LegacyPacketLoad& insn);
  std::pair<llvm::Value*, llvm::Value*> packet_place(llvm::Value* offset);

  // lower_call.cpp
  Status lower(const bpf::CallHelper& insn);
  Status lower(const bpf::CallLocal& insn);
  Status lower(const bpf::CallIndirect& insn);
  Status lower(const bpf::CallKfunc& insn);
  Status lower_helper(int32_t id);
  Status lower_runtime_call(const bpf::HelperInfo& helper);
  Status lower_call(bpf::FuncId callee_id);
  llvm::Value* follow_tail_call(llvm::Value* result);
  Status lower_tail_call();
  void assume_shapes(const bpf::HelperInfo& helper);
  Status lower_map_lookup();
  llvm::Value* env_field(uint64_t offset);
  void find_stack_reads();    // lower_read.cpp
  bool reads_register() const; // a probe_read of a field of the context that is done on the spot
  Result<bool> lower_read(); // a helper on the spot; false: it has to be called
  // lower_throw.cpp
  void return_thrown();
  void return_if_thrown(bpf::FuncId callee);
  Status note_helper(const bpf::HelperInfo& helper);
  Status note_raw_context();
  Result<uint64_t> bytes_behind(bpf::Reg reg);

  // A variant without a lowering; the verifier knows it as little.
  Status lower(const bpf::AddrSpaceCast&) { return unsupported("address space casts"); }

  const verifier::RegFact& fact(bpf::Reg reg) const { return insn_facts().before[reg.number]; }
  const verifier::InsnFacts& insn_facts() const { return program_.facts().insns[at_.value]; }
  llvm::BasicBlock* block_at(bpf::InsnIndex insn);
  llvm::Type* int_type(uint32_t bits) { return llvm::Type::getIntNTy(b_.getContext(), bits); }
  llvm::Value* get_int(bpf::Reg reg);
  llvm::Value* get_ptr(bpf::Reg reg);
  void set_int(bpf::Reg reg, llvm::Value* value); // zero-extends what is narrower
  void set_ptr(bpf::Reg reg, llvm::Value* value);
  llvm::Value* operand(const bpf::Operand& src, uint32_t bits);
  llvm::Value* narrow(llvm::Value* value, uint32_t bits);

  ProgramLowering& program_;
  bpf::FuncId id_;
  const bpf::Function& source_;
  llvm::Function* function_;
  llvm::IRBuilder<> b_;
  bpf::InsnIndex at_;
  std::array<llvm::AllocaInst*, 11> ints_{}, ptrs_{};
  llvm::AllocaInst* may_goto_ = nullptr;
  std::vector<bool> in_switch_; // comparisons that some tree of them has been tried with
  std::vector<llvm::BasicBlock*>
      blocks_; // by instruction of this function; null: none begins there
};

} // namespace bpfaot::aotc
