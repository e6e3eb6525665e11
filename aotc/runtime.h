// SPDX-License-Identifier: MIT
//
// minirt for one machine: what the lowering may call, and how it becomes part of an image. Helpers
// are bitcode, so that they inline and everything constant in a map's description folds; the rest
// is native code that the linker adds (runtime_parts.h).
#pragma once

#include "aotc/machine.h"
#include "support/result.h"
#include "targets/target.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class FunctionType;
class LLVMContext;
class Module;
} // namespace llvm

namespace bpfaot::aotc {

class Runtime {
public:
  // DIR/<triple>/. [resource]
  static Result<Runtime> read(const std::string& resource_dir, const targets::Target& target,
                              llvm::LLVMContext& context);
  // What an image may be made from.
  static std::vector<std::string> files(const std::string& resource_dir,
                                        const targets::Target& target);
  // DIR beside the running executable: ../lib/bpf-aotc.
  static std::string default_directory();

  Runtime(Runtime&&) noexcept;
  ~Runtime();

  // A helper's; null when minirt has no such helper.
  llvm::FunctionType* function_type(const std::string& name) const;
  // Where the native part is, for the linker.
  static std::string native_path(const std::string& resource_dir, const targets::Target& target,
                                 RegisterUse use);
  // Stack of native functions by name: those that helpers call, and the memory functions.
  std::map<std::string, uint64_t> native_stacks() const;
  // Moves what `module` refers to into it, makes everything but the descriptor and the runtime
  // block private to the image, and gives the code the attributes of the programs, without which
  // LLVM does not inline it. Consumes the runtime.
  Status link_into(llvm::Module& module, const targets::Target& target, const Processor& processor,
                   RegisterUse use) &&;

private:
  explicit Runtime(std::vector<uint8_t> bytes);
  std::vector<uint8_t> bytes_; // outlive the module, whose functions are read when needed
  std::unique_ptr<llvm::Module> module_;
};

} // namespace bpfaot::aotc
