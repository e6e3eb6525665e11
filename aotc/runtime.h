// SPDX-License-Identifier: MIT
//
// minirt's bitcode for one machine: what the lowering may call, and how it becomes part of an
// image. Bitcode, so that hot helpers inline and everything constant in a map's description folds.
#pragma once

#include "aotc/machine.h"
#include "support/result.h"
#include "targets/target.h"

#include <memory>
#include <string>

namespace llvm {
class FunctionType;
class LLVMContext;
class Module;
} // namespace llvm

namespace bpfaot::aotc {

class Runtime {
public:
  // DIR/<triple>/minirt.bc. [resource]
  static Result<Runtime> read(const std::string& resource_dir, const targets::Target& target,
                              llvm::LLVMContext& context);
  // DIR beside the running executable: ../lib/bpf-aotc.
  static std::string default_directory();

  Runtime(Runtime&&) noexcept;
  ~Runtime();

  // Null when minirt has no such function.
  llvm::FunctionType* function_type(const std::string& name) const;
  // Moves what `module` refers to into it, makes everything but the descriptor and the runtime
  // block private to the image, and gives the code the attributes of the programs, without which
  // LLVM does not inline it. Consumes the runtime.
  Status link_into(llvm::Module& module, const targets::Target& target, std::string_view cpu,
                   RegisterUse use) &&;

private:
  explicit Runtime(std::unique_ptr<llvm::Module> module);
  std::unique_ptr<llvm::Module> module_;
};

} // namespace bpfaot::aotc
