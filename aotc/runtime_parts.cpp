// SPDX-License-Identifier: MIT
//
// Order matters: the whole module is simplified first and split afterwards, so both parts agree on
// what was inlined into what, and on the signatures of what was private to a file of minirt.
//
// About the memory functions (memcpy, memmove, memset, memcmp): code generation may call them for
// any copy it does not expand. They alone keep "no-builtins": a loop inside memset must not be
// recognised as a memset.
#include "aotc/runtime_parts.h"

#include "aotc/codegen.h"
#include "aotc/machine.h"
#include "aotc/optimise.h"

#include <llvm/Analysis/ValueTracking.h>
#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/IPO/GlobalDCE.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <algorithm>
#include <array>
#include <map>

namespace bpfaot::aotc {
namespace {

constexpr const char* kStackNote = "bpfaot-stack";
constexpr int kLevel = 2;
constexpr std::array<std::string_view, 5> kMemoryFunctions = {"memcpy", "memmove", "memset",
                                                              "memcmp", "bcmp"};

bool is_memory_function(const llvm::Function& function) {
  const std::string_view name = function.getName();
  return std::find(kMemoryFunctions.begin(), kMemoryFunctions.end(), name) !=
         kMemoryFunctions.end();
}

// The lowest processor of the machine, which every other one includes.
Processor least_cpu(const targets::Target& target) {
  for (const targets::CpuRow& row : target.cpus)
    if (row.features == 0)
      return {std::string(row.name), ""};
  return {std::string(target.default_cpu), ""};
}

// The runtime block is filled before any program runs and read-only afterwards, so what is read
// from it may be read once. Only simplified code shows everywhere where an address comes from.
void mark_invariant_loads(llvm::Module& module) {
  for (llvm::Function& function : module)
    for (llvm::Instruction& insn : llvm::instructions(function)) {
      auto* load = llvm::dyn_cast<llvm::LoadInst>(&insn);
      if (load != nullptr &&
          llvm::getUnderlyingObject(load->getPointerOperand())->getName() == "__bpfaot_rt")
        load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                          llvm::MDNode::get(load->getContext(), {}));
    }
}

// Metadata that does not hold in this company goes: programs have no C
// types for alias analysis to reason with, and the bitcode's -O1 forbids unrolling.
void adjust_metadata(llvm::Function& function) {
  for (llvm::Instruction& insn : llvm::instructions(function)) {
    insn.setMetadata(llvm::LLVMContext::MD_tbaa, nullptr);
    insn.setMetadata(llvm::LLVMContext::MD_tbaa_struct, nullptr);
    insn.setMetadata(llvm::LLVMContext::MD_loop, nullptr);
  }
}

// What every compilation would read and copy for nothing: names of values, and which pointers of
// functions that are inlined by now were said to be different.
void drop_ballast(llvm::Module& module) {
  for (llvm::Function& function : module)
    for (llvm::BasicBlock& block : function) {
      block.setName("");
      for (llvm::Instruction& insn : llvm::make_early_inc_range(block)) {
        if (llvm::isa<llvm::NoAliasScopeDeclInst>(insn)) {
          insn.eraseFromParent();
          continue;
        }
        insn.setName("");
        insn.setMetadata(llvm::LLVMContext::MD_noalias, nullptr);
        insn.setMetadata(llvm::LLVMContext::MD_alias_scope, nullptr);
      }
    }
}

void prepare(llvm::Module& module, const targets::Target& target, RegisterUse use) {
  for (llvm::Function& function : module) {
    if (function.isDeclaration())
      continue;
    set_function_attributes(function, target, least_cpu(target), use);
    adjust_metadata(function);
    if (!is_memory_function(function)) {
      function.removeFnAttr("no-builtins");
      function.removeFnAttr("no-builtin-memcpy");
    }
  }
}

bool is_helper(const llvm::Function& function) {
  return !function.isDeclaration() && !function.hasLocalLinkage() &&
         function.hasFnAttribute(llvm::Attribute::AlwaysInline);
}

// A native function that a helper calls must be found from outside of its file.
void publish(llvm::Module& module) {
  for (llvm::Function& function : module) {
    if (function.isDeclaration() || is_helper(function))
      continue;
    if (function.hasLocalLinkage())
      function.setLinkage(llvm::GlobalValue::ExternalLinkage);
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    function.setDSOLocal(true);
    function.setComdat(nullptr);
  }
}

void drop_unused(llvm::Module& module) {
  llvm::ModuleAnalysisManager analyses;
  llvm::GlobalDCEPass().run(module, analyses);
}

// What is left of minirt without the helpers.
std::unique_ptr<llvm::Module> native_part(const llvm::Module& whole) {
  std::unique_ptr<llvm::Module> native = llvm::CloneModule(whole);
  std::vector<llvm::Function*> helpers;
  for (llvm::Function& function : *native)
    if (is_helper(function))
      helpers.push_back(&function);
  for (llvm::Function* helper : helpers)
    helper->deleteBody();
  for (llvm::Function* helper : helpers)
    if (helper->use_empty())
      helper->eraseFromParent();
  return native;
}

struct NativePart {
  std::vector<uint8_t> object;
  std::map<std::string, uint32_t> stacks; // by function
};

Result<NativePart> compile_native(const llvm::Module& whole, const targets::Target& target,
                                  RegisterUse use) {
  const auto machine = TRY(create_machine(target, least_cpu(target), kLevel));
  std::unique_ptr<llvm::Module> module = native_part(whole);
  for (llvm::Function& function : *module) {
    if (!function.isDeclaration()) {
      set_function_attributes(function, target, least_cpu(target), use);
      // Every image carries its own copy; what must be fast is inlined.
      if (!is_memory_function(function))
        function.addFnAttr(llvm::Attribute::OptimizeForSize);
    } else if (!function.isIntrinsic())
      return fail(Code::kCodegen, "native code of the runtime calls " + function.getName().str());
  }
  optimise(*module, *machine, kLevel);
  drop_unused(*module);
  const CallGraph calls(*module);
  std::vector<std::string> names;
  for (const llvm::Function& function : *module)
    if (!function.isDeclaration())
      names.push_back(function.getName().str());
  NativeObject object = TRY(emit_object(*module, *machine));
  NativePart part;
  for (const std::string& name : names)
    part.stacks[name] = calls.worst_stack(name, object.frames);
  part.object = std::move(object.bytes);
  return part;
}

// Turns `whole` into the helpers, with the native functions declared that they call, and the memory
// functions, which code generation calls.
std::vector<uint8_t> helper_part(llvm::Module& whole,
                                 const std::map<std::string, uint32_t>& stacks) {
  for (llvm::Function& function : whole)
    if (!function.isDeclaration() && !is_helper(function)) {
      function.deleteBody();
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
      function.setDSOLocal(true);
      function.addFnAttr(kStackNote, std::to_string(stacks.at(function.getName().str())));
    }
  std::map<std::string, std::pair<llvm::FunctionType*, llvm::AttributeList>> memory;
  for (const llvm::Function& function : whole)
    if (is_memory_function(function))
      memory[function.getName().str()] = {function.getFunctionType(), function.getAttributes()};
  drop_unused(whole);
  for (const auto& [name, declaration] : memory)
    whole.getOrInsertFunction(name, declaration.first, declaration.second);
  llvm::SmallString<0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::WriteBitcodeToFile(whole, stream);
  return {buffer.begin(), buffer.end()};
}

} // namespace

uint64_t noted_stack(const llvm::Function& declaration) {
  uint64_t bytes = 0;
  declaration.getFnAttribute(kStackNote).getValueAsString().getAsInteger(10, bytes);
  return bytes;
}

bool is_native(const llvm::Function& declaration) {
  return declaration.isDeclaration() && declaration.hasFnAttribute(kStackNote);
}

Result<RuntimeParts> split_runtime(std::unique_ptr<llvm::Module> whole,
                                   const targets::Target& target) {
  const auto machine = TRY(create_machine(target, least_cpu(target), kLevel));
  llvm::StripDebugInfo(*whole);
  whole->setDataLayout(machine->createDataLayout());
  whole->setSourceFileName("minirt");
  whole->setModuleIdentifier("minirt");
  prepare(*whole, target, RegisterUse::general_only);
  mark_invariant_loads(*whole);
  simplify(*whole, *machine);
  drop_ballast(*whole);
  mark_invariant_loads(*whole);
  TRY(check_module(*whole)); // compilations do not check it again
  publish(*whole);
  NativePart attached = TRY(compile_native(*whole, target, RegisterUse::general_only));
  NativePart buffer = TRY(compile_native(*whole, target, RegisterUse::all));
  for (const auto& [name, stack] : buffer.stacks) {
    uint32_t& most = attached.stacks[name];
    most = std::max(most, stack);
  }
  RuntimeParts parts;
  parts.helpers = helper_part(*whole, attached.stacks);
  parts.attached = std::move(attached.object);
  parts.buffer = std::move(buffer.object);
  return parts;
}

} // namespace bpfaot::aotc
