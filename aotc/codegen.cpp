// SPDX-License-Identifier: MIT
#include "aotc/codegen.h"

#include "aotc/optimise.h"
#include "aotc/tail_calls.h"
#include "bpfaot/abi.h"

#include <llvm/ADT/SmallString.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/DiagnosticHandler.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>

namespace bpfaot::aotc {
namespace {

// LLVM reports the frame size of each function that exceeds its "warn-stack-size".
struct FrameCollector final : llvm::DiagnosticHandler {
  FrameSizes frames;
  std::string errors;
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getKind() == llvm::DK_StackSize) {
      const auto& size = llvm::cast<llvm::DiagnosticInfoStackSize>(info);
      frames[size.getFunction().getName().str()] = size.getResourceSize();
      return true;
    }
    if (info.getSeverity() == llvm::DS_Error) {
      llvm::raw_string_ostream stream(errors);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
};

// As LLVMTargetMachine::addPassesToEmitFile, without passes whose work is never here: where variables
// are (debug information has lines only), stack maps, XRay, patchable entries, sanitizers. False when
// the machine cannot write such a file.
bool add_passes(llvm::legacy::PassManager& passes, llvm::TargetMachine& machine,
                llvm::raw_pwrite_stream& out, llvm::CodeGenFileType type) {
  auto& native = static_cast<llvm::LLVMTargetMachine&>(machine); // as all that are registered
  auto* info = new llvm::MachineModuleInfoWrapperPass(&native);
  llvm::TargetPassConfig* config = native.createPassConfig(passes);
  config->setDisableVerify(true);
  for (const llvm::AnalysisID pass :
       {&llvm::LiveDebugValuesID, &llvm::RemoveRedundantDebugValuesID, &llvm::StackMapLivenessID,
        &llvm::XRayInstrumentationID, &llvm::PatchableFunctionID, &llvm::FEntryInserterID,
        &llvm::FuncletLayoutID})
    config->disablePass(pass);
  passes.add(config);
  passes.add(info);
  if (config->addISelPasses())
    return false;
  config->addMachinePasses();
  config->setInitialized();
  if (native.addAsmPrinter(passes, out, nullptr, type, info->getMMI().getContext()))
    return false;
  passes.add(llvm::createFreeMachineFunctionPass());
  return true;
}

Result<NativeObject> emit(llvm::Module& module, llvm::TargetMachine& machine,
                          llvm::CodeGenFileType type) {
  for (llvm::Function& function : module)
    if (!function.isDeclaration())
      function.addFnAttr("warn-stack-size", "0");
  llvm::LLVMContext& context = module.getContext();
  auto collector = std::make_unique<FrameCollector>();
  FrameCollector& found = *collector;
  std::unique_ptr<llvm::DiagnosticHandler> before = context.getDiagnosticHandler();
  context.setDiagnosticHandler(std::move(collector));
  llvm::SmallString<0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(known_library(module)));
  if (!add_passes(passes, machine, stream, type))
    return fail(Code::kCodegen, "this machine's back end cannot write such a file");
  passes.run(module);
  NativeObject object;
  object.frames = std::move(found.frames);
  const std::string errors = std::move(found.errors);
  context.setDiagnosticHandler(std::move(before));
  if (!errors.empty())
    return fail(Code::kCodegen, errors);
  object.bytes.assign(buffer.begin(), buffer.end());
  return object;
}

// The callee of calls through a pointer: the vDSO's clock, or a function whose address is taken. An
// entry's is, but by the descriptor only.
constexpr const char* kUnknown = "*";
constexpr const char* kClock = "*clock";
constexpr uint64_t kClockStack = 256; // several times what any kernel's vDSO uses

} // namespace

Status check_module(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (llvm::verifyModule(module, &stream))
    return fail(Code::kCodegen, "the lowered module is not valid: " + text);
  return {};
}

Result<NativeObject> emit_object(llvm::Module& module, llvm::TargetMachine& machine) {
  return emit(module, machine, llvm::CodeGenFileType::ObjectFile);
}

Result<std::string> emit_assembly(llvm::Module& module, llvm::TargetMachine& machine) {
  const NativeObject text = TRY(emit(module, machine, llvm::CodeGenFileType::AssemblyFile));
  return std::string(text.bytes.begin(), text.bytes.end());
}

std::string print_module(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

CallGraph::CallGraph(const llvm::Module& module, std::map<std::string, uint64_t> native)
    : native_(std::move(native)) {
  for (const llvm::Function& function : module)
    if (!function.isDeclaration() && !function.getName().starts_with("entry.") &&
        function.hasAddressTaken())
      callees_[kUnknown].push_back(function.getName().str());
  callees_[kUnknown].push_back(kClock);
  // Any copy may become a call of a memory function.
  std::vector<std::string> memory;
  for (const char* name : {"memcpy", "memmove", "memset", "memcmp"})
    if (native_.contains(name) || module.getFunction(name) != nullptr)
      memory.push_back(name);
  for (const llvm::Function& function : module) {
    if (function.isDeclaration())
      continue;
    if (function.getName().starts_with(kTailRunPrefix))
      tail_calls_.push_back(function.getName().str());
    std::vector<std::string>& callees = callees_[function.getName().str()];
    for (const llvm::Instruction& insn : llvm::instructions(function)) {
      const auto* call = llvm::dyn_cast<llvm::CallBase>(&insn);
      if (call == nullptr)
        continue;
      if (llvm::isa<llvm::MemIntrinsic>(call))
        callees.insert(callees.end(), memory.begin(), memory.end());
      else if (const llvm::Function* callee = call->getCalledFunction())
        callees.push_back(callee->getName().str());
      else if (!call->isInlineAsm())
        callees.push_back(kUnknown);
    }
    std::sort(callees.begin(), callees.end());
    callees.erase(std::unique(callees.begin(), callees.end()), callees.end());
  }
}

uint64_t CallGraph::depth(const std::string& function, const FrameSizes& frames,
                          std::map<std::string, uint64_t>& known) const {
  if (function == kClock)
    return kClockStack;
  if (const auto native = native_.find(function); native != native_.end())
    return native->second;
  const auto [place, is_new] = known.emplace(function, 0); // 0 while open: recursion adds nothing
  if (!is_new)
    return place->second;
  const auto callees = callees_.find(function);
  if (callees == callees_.end())
    return 0; // an intrinsic
  uint64_t deepest = 0;
  for (const std::string& callee : callees->second)
    deepest = std::max(deepest, depth(callee, frames, known));
  const auto frame = frames.find(function);
  // Return address and alignment of the call: 16 bytes on every machine.
  const uint64_t total = 16 + (frame == frames.end() ? 0 : frame->second) + deepest;
  known[function] = total;
  return total;
}

// What is called through a pointer may call through one again: callbacks of callbacks. No function
// is twice on a chain of calls, and a chain of a program has eight frames.
uint64_t CallGraph::depth_of_unknown(const FrameSizes& frames, uint64_t tail_call) const {
  constexpr size_t kMostNested = 7;
  const std::vector<std::string>& callees = callees_.at(kUnknown);
  uint64_t deepest = kClockStack;
  for (size_t nested = 0; nested < std::min(callees.size() - 1, kMostNested); ++nested) {
    std::map<std::string, uint64_t> known{{kUnknown, deepest}};
    for (const std::string& name : tail_calls_)
      known.emplace(name, tail_call);
    for (const std::string& callee : callees)
      deepest = std::max(deepest, depth(callee, frames, known));
  }
  return deepest;
}

// What is called otherwise than by name. A tail call of a program leaves no frame, but one of a
// function leaves those of its callers, and there may be as many of them as a run may make.
std::map<std::string, uint64_t> CallGraph::depths_of_indirect(const FrameSizes& frames) const {
  uint64_t unknown = depth_of_unknown(frames, 0), tail_call = 0;
  for (uint32_t made = 0; made < BPFAOT_MAX_TAIL_CALLS && !tail_calls_.empty(); ++made) {
    std::map<std::string, uint64_t> known{{kUnknown, unknown}};
    for (const std::string& name : tail_calls_)
      known.emplace(name, tail_call);
    uint64_t deepest = 0;
    for (const std::string& name : tail_calls_)
      for (const std::string& callee : callees_.at(name))
        deepest = std::max(deepest, depth(callee, frames, known));
    if (deepest == tail_call)
      break;
    tail_call = deepest;
    unknown = depth_of_unknown(frames, tail_call);
  }
  std::map<std::string, uint64_t> known{{kUnknown, unknown}};
  for (const std::string& name : tail_calls_)
    known.emplace(name, tail_call);
  return known;
}

uint32_t CallGraph::worst_stack(const std::string& entry, const FrameSizes& frames) const {
  std::map<std::string, uint64_t> known = depths_of_indirect(frames);
  return static_cast<uint32_t>(std::min<uint64_t>(depth(entry, frames, known), UINT32_MAX));
}

} // namespace bpfaot::aotc
