// SPDX-License-Identifier: MIT
//
// About the memory functions (memcpy, memmove, memset, memcmp): code generation may call them for
// any copy it does not expand, so they are always linked in, kept through optimisation and dropped
// by the linker's garbage collection when nothing calls them. They alone keep "no-builtins": a loop
// inside memset must not be recognised as a memset.
#include "aotc/runtime.h"

#include "support/files.h"

#include <llvm/Analysis/ValueTracking.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Module.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

#include <array>
#include <unistd.h>

namespace bpfaot::aotc {
namespace {

constexpr std::array kMemoryFunctions = {"memcpy", "memmove", "memset", "memcmp"};

bool is_memory_function(const llvm::Function& function) {
  return function.getName().starts_with("mem");
}

// What an llvm::Error says, as a diagnostic at the border of this room.
std::string text_of(llvm::Error error) {
  return llvm::toString(std::move(error));
}

void declare_memory_functions(llvm::Module& module) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  llvm::Type* word = llvm::Type::getInt64Ty(context);
  llvm::Type* number = llvm::Type::getInt32Ty(context);
  module.getOrInsertFunction("memcpy", pointer, pointer, pointer, word);
  module.getOrInsertFunction("memmove", pointer, pointer, pointer, word);
  module.getOrInsertFunction("memset", pointer, pointer, number, word);
  module.getOrInsertFunction("memcmp", number, pointer, pointer, word);
}

bool stays_visible(const llvm::GlobalValue& value) {
  return value.getName() == "bpfaot_image" || value.getName() == "__bpfaot_rt";
}

// The runtime block is filled before any program runs and read-only afterwards, so what is read
// from it may be read once. Metadata that does not hold in this company goes: programs have no C
// types for alias analysis to reason with, and the bitcode's -O1 forbids unrolling.
void adjust_metadata(llvm::Function& function) {
  for (llvm::Instruction& insn : llvm::instructions(function)) {
    insn.setMetadata(llvm::LLVMContext::MD_tbaa, nullptr);
    insn.setMetadata(llvm::LLVMContext::MD_tbaa_struct, nullptr);
    insn.setMetadata(llvm::LLVMContext::MD_loop, nullptr);
    auto* load = llvm::dyn_cast<llvm::LoadInst>(&insn);
    if (load != nullptr &&
        llvm::getUnderlyingObject(load->getPointerOperand())->getName() == "__bpfaot_rt")
      load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                        llvm::MDNode::get(load->getContext(), {}));
  }
}

void internalise(llvm::Module& module) {
  for (llvm::GlobalValue& value : module.global_values()) {
    if (value.isDeclaration() || value.hasLocalLinkage() || value.getName().starts_with("llvm."))
      continue;
    value.setDSOLocal(true);
    const auto* function = llvm::dyn_cast<llvm::Function>(&value);
    if (function != nullptr && is_memory_function(*function))
      value.setVisibility(llvm::GlobalValue::HiddenVisibility); // code generation calls it by name
    else if (!stays_visible(value))
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

} // namespace

Runtime::Runtime(std::unique_ptr<llvm::Module> module) : module_(std::move(module)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime::~Runtime() = default;

std::string Runtime::default_directory() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0)
    return "../lib/bpf-aotc";
  const std::string executable(path.data(), static_cast<size_t>(length));
  return executable.substr(0, executable.rfind('/')) + "/../lib/bpf-aotc";
}

Result<Runtime> Runtime::read(const std::string& resource_dir, const targets::Target& target,
                              llvm::LLVMContext& context) {
  const std::string path = resource_dir + "/" + std::string(target.triple) + "/minirt.bc";
  auto bytes = read_file(path);
  if (!bytes)
    return Failure(
        make_error(Code::kResource, "the runtime for " + std::string(target.name) + " is missing")
            .about(path)
            .hint("--resource-dir= names the directory that has " + std::string(target.triple) +
                  "/minirt.bc"));
  const llvm::StringRef view(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(view, "minirt"), context);
  if (!module)
    return Failure(make_error(Code::kResource, "the runtime is not bitcode of LLVM " +
                                                   llvm_version() + ": " +
                                                   text_of(module.takeError()))
                       .about(path));
  llvm::StripDebugInfo(**module);
  return Runtime(std::move(*module));
}

llvm::FunctionType* Runtime::function_type(const std::string& name) const {
  const llvm::Function* function = module_->getFunction(name);
  return function == nullptr || function->isDeclaration() ? nullptr : function->getFunctionType();
}

Status Runtime::link_into(llvm::Module& module, const targets::Target& target, std::string_view cpu,
                          RegisterUse use) && {
  module_->setDataLayout(module.getDataLayout());
  module_->setTargetTriple(module.getTargetTriple());
  for (llvm::Function& function : *module_) {
    if (function.isDeclaration())
      continue;
    set_function_attributes(function, target, cpu, use);
    adjust_metadata(function);
    if (!is_memory_function(function)) {
      function.removeFnAttr("no-builtins");
      function.removeFnAttr("no-builtin-memcpy");
    }
  }
  declare_memory_functions(module);
  if (llvm::Linker::linkModules(module, std::move(module_), llvm::Linker::Flags::LinkOnlyNeeded))
    return fail(Code::kCodegen, "the runtime does not link with the programs");
  std::vector<llvm::GlobalValue*> kept;
  for (const char* name : kMemoryFunctions) {
    llvm::Function* function = module.getFunction(name);
    if (function != nullptr && !function->isDeclaration())
      kept.push_back(function);
    else if (function != nullptr && function->use_empty())
      function->eraseFromParent();
  }
  if (!kept.empty())
    llvm::appendToCompilerUsed(module, kept);
  for (const llvm::Function& function : module)
    if (function.isDeclaration() && !function.isIntrinsic())
      return fail(Code::kResource, "the runtime has no " + function.getName().str());
  internalise(module);
  return {};
}

} // namespace bpfaot::aotc
