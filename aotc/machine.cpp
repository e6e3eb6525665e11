// SPDX-License-Identifier: MIT
#include "aotc/machine.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/IR/Attributes.h>
#include <llvm/IR/Function.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

namespace bpfaot::aotc {
namespace {

// LLVM applies the words in their order: what is said last holds, so nobody turns on the vector
// registers of attached programs.
std::string features_of(const targets::Target& target, const Processor& processor, RegisterUse use) {
  const std::string own(use == RegisterUse::general_only ? target.attached_features
                                                         : target.buffer_features);
  return processor.features + (processor.features.empty() || own.empty() ? "" : ",") + own;
}

} // namespace

void initialise_llvm() {
  // The runtime's bitcode contains inline assembly, hence the parsers.
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
  LLVMInitializeAArch64AsmParser();
  LLVMInitializeRISCVTargetInfo();
  LLVMInitializeRISCVTarget();
  LLVMInitializeRISCVTargetMC();
  LLVMInitializeRISCVAsmPrinter();
  LLVMInitializeRISCVAsmParser();
}

std::string llvm_version() {
  return LLVM_VERSION_STRING;
}

void set_fatal_error_handler(void (*handler)(const char* reason)) {
  llvm::install_fatal_error_handler(
      [](void* own, const char* reason, bool) {
        reinterpret_cast<void (*)(const char*)>(own)(reason);
      },
      reinterpret_cast<void*>(handler));
}

Status apply_llvm_arguments(std::span<const std::string> arguments) {
  if (arguments.empty())
    return {};
  std::vector<const char*> words = {"bpf-aotc -mllvm"};
  for (const std::string& argument : arguments)
    words.push_back(argument.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  if (!llvm::cl::ParseCommandLineOptions(static_cast<int>(words.size()), words.data(), "", &stream))
    return fail(Code::kUsage, "LLVM does not take this: " + messages);
  return {};
}

Result<std::unique_ptr<llvm::TargetMachine>> create_machine(const targets::Target& target,
                                                            const Processor& processor,
                                                            int opt_level) {
  std::string error;
  const std::string triple(target.triple);
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (found == nullptr)
    return fail(Code::kCodegen, "this LLVM has no back end for " + triple + ": " + error);
  llvm::TargetOptions options;
  options.MCOptions.ABIName = std::string(target.abi_name);
  options.FunctionSections = true; // so that the linker drops what no program uses
  options.DataSections = true;
  options.UniqueSectionNames = true;
  static constexpr llvm::CodeGenOptLevel kLevels[] = {
      llvm::CodeGenOptLevel::None, llvm::CodeGenOptLevel::Less, llvm::CodeGenOptLevel::Default,
      llvm::CodeGenOptLevel::Aggressive};
  std::unique_ptr<llvm::TargetMachine> machine(
      found->createTargetMachine(triple, processor.cpu,
                                 features_of(target, processor, RegisterUse::all), options,
                                 llvm::Reloc::PIC_, llvm::CodeModel::Small, kLevels[opt_level]));
  if (machine == nullptr)
    return fail(Code::kCodegen, "LLVM cannot make code for " + triple);
  return machine;
}

void set_function_attributes(llvm::Function& function, const targets::Target& target,
                             const Processor& processor, RegisterUse use) {
  function.addFnAttr("target-cpu", processor.cpu);
  function.removeFnAttr("tune-cpu");
  function.removeFnAttr("target-features");
  if (const std::string features = features_of(target, processor, use); !features.empty())
    function.addFnAttr("target-features", features);
  function.removeFnAttr(llvm::Attribute::NoImplicitFloat);
  if (use == RegisterUse::general_only)
    function.addFnAttr(llvm::Attribute::NoImplicitFloat);
  function.addFnAttr(llvm::Attribute::NoUnwind);
  function.removeFnAttr(llvm::Attribute::UWTable);
  function.removeFnAttr(llvm::Attribute::MustProgress);
  function.removeFnAttr("frame-pointer");
  function.removeFnAttr("stack-protector-buffer-size");
  function.removeFnAttr(llvm::Attribute::StackProtectStrong);
  function.removeFnAttr(llvm::Attribute::StackProtect);
}

} // namespace bpfaot::aotc
