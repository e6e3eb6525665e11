// SPDX-License-Identifier: MIT
#include "aotc/runtime.h"

#include "aotc/runtime_parts.h"
#include "support/files.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Module.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Support/MemoryBuffer.h>

#include <array>
#include <set>
#include <unistd.h>

namespace bpfaot::aotc {
namespace {

// What an llvm::Error says, as a diagnostic at the border of this room.
std::string text_of(llvm::Error error) {
  return llvm::toString(std::move(error));
}

std::string file_path(const std::string& resource_dir, const targets::Target& target,
                      std::string_view name) {
  return resource_dir + "/" + std::string(target.triple) + "/" + std::string(name);
}

// Only a program that asks for the current task can have an address that reads of it answer;
// helpers look at this constant.
void say_whether_task_is_read(llvm::Module& module) {
  llvm::Type* type = llvm::Type::getInt8Ty(module.getContext());
  const bool is_asked = module.getFunction("__bpfaot_rt_get_current_task") != nullptr ||
                        module.getFunction("__bpfaot_rt_get_current_task_btf") != nullptr;
  new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage,
                           llvm::ConstantInt::get(type, is_asked ? 1 : 0),
                           "__bpfaot_rt_reads_task");
}

bool stays_visible(const llvm::GlobalValue& value) {
  return value.getName() == "bpfaot_image" || value.getName() == "__bpfaot_rt";
}

void internalise(llvm::Module& module) {
  for (llvm::GlobalValue& value : module.global_values()) {
    if (value.isDeclaration() || value.hasLocalLinkage() || value.getName().starts_with("llvm."))
      continue;
    value.setDSOLocal(true);
    if (!stays_visible(value))
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

} // namespace

Runtime::Runtime(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime::~Runtime() = default;

std::string Runtime::default_directory() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0)
    return "../lib/bpf-aotc";
  const std::string executable(path.data(), static_cast<size_t>(length));
  const std::string folder = executable.substr(0, executable.rfind('/'));
  // Of the build tree, or of an installation with another name for lib.
  const std::string beside = folder.substr(0, folder.rfind('/')) + "/lib/bpf-aotc";
  return access(beside.c_str(), F_OK) == 0 ? beside : folder + "/" BPFAOT_RESOURCES;
}

std::vector<std::string> Runtime::files(const std::string& resource_dir,
                                        const targets::Target& target) {
  std::vector<std::string> files;
  for (const std::string_view name : {kHelperFile, kAttachedFile, kBufferFile})
    files.push_back(file_path(resource_dir, target, name));
  return files;
}

Result<Runtime> Runtime::read(const std::string& resource_dir, const targets::Target& target,
                              llvm::LLVMContext& context) {
  const std::string path = file_path(resource_dir, target, kHelperFile);
  auto bytes = read_file(path);
  if (!bytes)
    return Failure(
        make_error(Code::kResource, "the runtime for " + std::string(target.name) + " is missing")
            .about(path)
            .hint("--resource-dir= names the directory that has " + std::string(target.triple) +
                  "/" + std::string(kHelperFile)));
  Runtime runtime(std::move(*bytes));
  const llvm::StringRef view(reinterpret_cast<const char*>(runtime.bytes_.data()),
                             runtime.bytes_.size());
  auto module = llvm::getLazyBitcodeModule(llvm::MemoryBufferRef(view, "minirt"), context);
  if (!module)
    return Failure(make_error(Code::kResource, "the runtime is not bitcode of LLVM " +
                                                   llvm_version() + ": " +
                                                   text_of(module.takeError()))
                       .about(path));
  runtime.module_ = std::move(*module);
  return runtime;
}

llvm::FunctionType* Runtime::function_type(const std::string& name) const {
  const llvm::Function* function = module_->getFunction(name);
  return function == nullptr || function->isDeclaration() ? nullptr : function->getFunctionType();
}

std::string Runtime::native_path(const std::string& resource_dir, const targets::Target& target,
                                 RegisterUse use) {
  return file_path(resource_dir, target,
                   use == RegisterUse::general_only ? kAttachedFile : kBufferFile);
}

std::map<std::string, uint64_t> Runtime::native_stacks() const {
  std::map<std::string, uint64_t> stacks;
  for (const llvm::Function& function : *module_)
    if (is_native(function))
      stacks[function.getName().str()] = noted_stack(function);
  return stacks;
}

Status Runtime::link_into(llvm::Module& module, const targets::Target& target, const Processor& processor,
                          RegisterUse use) && {
  module_->setDataLayout(module.getDataLayout());
  module_->setTargetTriple(module.getTargetTriple());
  std::vector<llvm::Function*> wanted; // of the programs' module: the linker fills them in
  for (llvm::Function& function : module)
    if (function.isDeclaration())
      if (const llvm::Function* helper = module_->getFunction(function.getName());
          helper != nullptr && !helper->isDeclaration())
        wanted.push_back(&function);
  std::vector<std::string> names;
  for (const llvm::Function* function : wanted)
    names.push_back(function->getName().str());
  say_whether_task_is_read(module);
  if (llvm::Linker::linkModules(module, std::move(module_), llvm::Linker::Flags::LinkOnlyNeeded))
    return fail(Code::kCodegen, "the runtime does not link with the programs");
  for (const std::string& name : names)
    set_function_attributes(*module.getFunction(name), target, processor, use);
  for (const llvm::Function& function : module)
    if (function.isDeclaration() && !function.isIntrinsic() && !is_native(function))
      return fail(Code::kResource, "the runtime has no " + function.getName().str());
  internalise(module);
  return {};
}

} // namespace bpfaot::aotc
