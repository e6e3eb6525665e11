// SPDX-License-Identifier: MIT
//
// What all functions of one image share while they are lowered: the LLVM module, the map
// descriptions, the runtime block, minirt's functions. One machine, one object, many programs.
#pragma once

#include "aotc/debug_info.h"
#include "aotc/machine.h"
#include "aotc/runtime.h"
#include "aotc/tail_calls.h"
#include "bpf/object.h"
#include "targets/target.h"
#include "verifier/verifier.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::aotc {

struct LoweringOptions {
  Processor processor;
  targets::FetchFence fetch_fence = targets::FetchFence::all;
  bool fix_maps = false; // fold max_entries too
  RegisterUse registers = RegisterUse::general_only;
  bool debug = false; // DWARF, where the object has lines
};

// What the manifest needs to know about one lowered program.
struct LoweredProgram {
  llvm::Function* main = nullptr;  // the program itself: i64 (env, ctx)
  llvm::Function* entry = nullptr; // what the loader calls, around it
  uint64_t ctx_reads = 0;
  uint64_t ctx_writes = 0;
  uint64_t clobbers = 0;
  uint32_t flags = 0;        // BPFAOT_PROG_*
  uint32_t capabilities = 0; // BPFAOT_CAP_*
  uint32_t kind = 0;         // BPFAOT_KIND_*
};

class ModuleLowering {
public:
  ModuleLowering(llvm::LLVMContext& context, const targets::Target& target,
                 const bpf::Object& object, const Runtime& runtime, LoweringOptions options,
                 const llvm::DataLayout& layout);

  llvm::Module& module() { return *module_; }
  llvm::LLVMContext& context() { return module_->getContext(); }
  std::unique_ptr<llvm::Module> take() { return std::move(module_); }
  const targets::Target& target() const { return target_; }
  const LoweringOptions& options() const { return options_; }
  const bpf::Object& object() const { return object_; }
  uint32_t map_count() const { return map_count_; }

  // The hidden ring buffer of trace_printk: the map after the object's own, made when first asked
  // for.
  void need_printk_map();
  bool has_printk_map() const { return has_printk_map_; }

  TailCalls& tail_calls() { return tail_calls_; }

  llvm::Constant* map_desc(bpf::MapId id);
  // Descriptions of all maps, where some of them hold others.
  llvm::GlobalVariable* map_table() { return map_table_; }
  // Address of the first byte of a data map's value, loaded from the runtime block.
  llvm::Value* map_data(llvm::IRBuilder<>& builder, bpf::MapId id);
  // Declares minirt's function; null when this runtime has none.
  llvm::Function* runtime_function(const std::string& name);
  llvm::Function* create_function(llvm::FunctionType* type, const std::string& name);
  // Gives the runtime block its final size: header and one slot a map.
  void finish_runtime_block();

  // Source names and lines; nothing happens without debug information.
  void describe(llvm::Function& function, const std::string& name, const bpf::Program& program,
                bpf::InsnIndex begin);
  llvm::DebugLoc location(const llvm::Function& function, const bpf::Program& program,
                          bpf::InsnIndex insn);
  void finish_debug_info();

private:
  const targets::Target& target_;
  const bpf::Object& object_;
  const Runtime& runtime_;
  LoweringOptions options_;
  std::unique_ptr<llvm::Module> module_;
  llvm::GlobalVariable* rt_ = nullptr;
  void make_map_table();
  llvm::Constant* desc_fields(bpf::MapId id);
  std::vector<llvm::Constant*> descs_;
  llvm::GlobalVariable* map_table_ = nullptr;
  uint32_t map_count_;
  TailCalls tail_calls_;
  std::unique_ptr<DebugInfo> debug_; // made at the first function that has lines
  bool has_printk_map_ = false;
};

// One program: its functions, not yet its entry. Diagnostics name the program and the instruction.
Result<LoweredProgram> lower_program(ModuleLowering& module,
                                     const verifier::VerifiedProgram& program);
// When all programs of an image are lowered: tail calls between them, and their entries.
Status finish_programs(ModuleLowering& module, std::span<const verifier::VerifiedProgram> programs,
                       std::span<LoweredProgram> lowered);

} // namespace bpfaot::aotc
