// SPDX-License-Identifier: MIT
//
// From the optimised module to bytes, and how much stack each entry needs in the worst case.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace llvm {
class Function;
class Module;
class TargetMachine;
} // namespace llvm

namespace bpfaot::aotc {

// LLVM's own check of the module; what it finds is our mistake.
Status check_module(const llvm::Module& module);
using FrameSizes = std::map<std::string, uint64_t>; // bytes by function name, zero frames left out

struct NativeObject {
  std::vector<uint8_t> bytes;
  FrameSizes frames;
};
Result<NativeObject> emit_object(llvm::Module& module, llvm::TargetMachine& machine);
Result<std::string> emit_assembly(llvm::Module& module, llvm::TargetMachine& machine);
std::string print_module(const llvm::Module& module);

// Who calls whom, taken after optimisation and before code generation consumes the module.
class CallGraph {
public:
  // `native`: what functions that are only declared need, with all that they call.
  explicit CallGraph(const llvm::Module& module, std::map<std::string, uint64_t> native = {});
  // Bytes below the caller's stack pointer that `entry` and everything it calls may use.
  uint32_t worst_stack(const std::string& entry, const FrameSizes& frames) const;

private:
  uint64_t depth_of_unknown(const FrameSizes& frames, uint64_t tail_call) const;
  std::map<std::string, uint64_t> depths_of_indirect(const FrameSizes& frames) const;
  uint64_t depth(const std::string& function, const FrameSizes& frames,
                 std::map<std::string, uint64_t>& known) const;
  std::map<std::string, uint64_t> native_;
  std::map<std::string, std::vector<std::string>> callees_;
  std::vector<std::string> tail_calls_; // functions that run what a tail call leads to
};

} // namespace bpfaot::aotc
