// SPDX-License-Identifier: MIT
//
// From the lowered module to bytes: optimisation, object emission, and how much stack each entry
// needs in the worst case.
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
// The standard pipeline with the machine's cost model. level 0..3.
void optimise(llvm::Module& module, llvm::TargetMachine& machine, int level);

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
  explicit CallGraph(const llvm::Module& module);
  // Bytes below the caller's stack pointer that `entry` and everything it calls may use.
  uint32_t worst_stack(const std::string& entry, const FrameSizes& frames) const;

private:
  uint64_t depth(const std::string& function, const FrameSizes& frames,
                 std::map<std::string, uint64_t>& known) const;
  std::map<std::string, std::vector<std::string>> callees_;
};

} // namespace bpfaot::aotc
