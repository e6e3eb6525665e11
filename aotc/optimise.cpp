// SPDX-License-Identifier: MIT
//
// The machine goes into the pass builder before anything is optimised: without its cost model LLVM
// neither unrolls nor vectorises sensibly (measured: 1.1x over everything, 4.8x on copies).
#include "aotc/optimise.h"

#include "aotc/carried_values.h"
#include "aotc/runtime_facts.h"
#include "aotc/unrolling.h"

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Module.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/AggressiveInstCombine/AggressiveInstCombine.h>
#include <llvm/Transforms/IPO/ConstantMerge.h>
#include <llvm/Transforms/IPO/GlobalDCE.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ConstraintElimination.h>
#include <llvm/Transforms/Scalar/CorrelatedValuePropagation.h>
#include <llvm/Transforms/Scalar/DeadStoreElimination.h>
#include <llvm/Transforms/Scalar/DivRemPairs.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/GVN.h>
#include <llvm/Transforms/Scalar/IndVarSimplify.h>
#include <llvm/Transforms/Scalar/InferAlignment.h>
#include <llvm/Transforms/Scalar/JumpThreading.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopDeletion.h>
#include <llvm/Transforms/Scalar/LoopIdiomRecognize.h>
#include <llvm/Transforms/Scalar/LoopInstSimplify.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/LoopRotation.h>
#include <llvm/Transforms/Scalar/LoopUnrollPass.h>
#include <llvm/Transforms/Scalar/MemCpyOptimizer.h>
#include <llvm/Transforms/Scalar/Reassociate.h>
#include <llvm/Transforms/Scalar/SCCP.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimpleLoopUnswitch.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Vectorize/LoopVectorize.h>
#include <llvm/Transforms/Vectorize/SLPVectorizer.h>
#include <llvm/Transforms/Vectorize/VectorCombine.h>

namespace bpfaot::aotc {
namespace {

const llvm::OptimizationLevel& kLevel = llvm::OptimizationLevel::O2; // of programs

// A pass builder with its analyses, for one run over one module.
class Optimiser {
public:
  Optimiser(const llvm::Module& module, llvm::TargetMachine& machine,
            const llvm::PipelineTuningOptions& tuning)
      : builder_(&machine, tuning) {
    functions_.registerPass(
        [&module] { return llvm::TargetLibraryAnalysis(known_library(module)); });
    builder_.registerModuleAnalyses(modules_);
    builder_.registerCGSCCAnalyses(calls_);
    builder_.registerFunctionAnalyses(functions_);
    builder_.registerLoopAnalyses(loops_);
    builder_.crossRegisterProxies(loops_, functions_, calls_, modules_);
  }

  llvm::PassBuilder& builder() { return builder_; }
  void run(llvm::ModulePassManager passes, llvm::Module& module) { passes.run(module, modules_); }

private:
  llvm::PassBuilder builder_;
  llvm::LoopAnalysisManager loops_;
  llvm::FunctionAnalysisManager functions_;
  llvm::CGSCCAnalysisManager calls_;
  llvm::ModuleAnalysisManager modules_;
};

llvm::PipelineTuningOptions tuning(bool vectorise) {
  llvm::PipelineTuningOptions options;
  options.LoopVectorization = vectorise;
  options.SLPVectorization = vectorise;
  return options;
}

// Passes of our own, and loops of known length unrolled as at -O3: what eBPF allows is small, and
// the measured gain (up to 4x on programs that divide) costs no measurable compile time.
void add_own_passes(llvm::PassBuilder& builder) {
  builder.registerPeepholeEPCallback(
      [](llvm::FunctionPassManager& passes, llvm::OptimizationLevel) {
        passes.addPass(RuntimeFactsPass());
      });
  builder.registerLateLoopOptimizationsEPCallback(
      [](llvm::LoopPassManager& passes, llvm::OptimizationLevel level) {
        if (level.getSpeedupLevel() == 2)
          passes.addPass(llvm::LoopFullUnrollPass(3));
      });
  builder.registerScalarOptimizerLateEPCallback(
      [](llvm::FunctionPassManager& passes, llvm::OptimizationLevel) {
        passes.addPass(CarriedValuesPass());
      });
  builder.registerOptimizerLastEPCallback(
      [](llvm::ModulePassManager& passes, llvm::OptimizationLevel level) {
        if (level.getSpeedupLevel() >= 2)
          passes.addPass(llvm::createModuleToFunctionPassAdaptor(UnrollTwicePass()));
      });
}

// Passes for functions with loops only: most helpers and many programs have none.
class OnLoops : public llvm::PassInfoMixin<OnLoops> {
public:
  explicit OnLoops(llvm::FunctionPassManager passes) : passes_(std::move(passes)) {}
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses) {
    if (analyses.getResult<llvm::LoopAnalysis>(function).empty())
      return llvm::PreservedAnalyses::all();
    return passes_.run(function, analyses);
  }

private:
  llvm::FunctionPassManager passes_;
};

llvm::SimplifyCFGOptions joining() {
  return llvm::SimplifyCFGOptions()
      .convertSwitchRangeToICmp(true)
      .hoistCommonInsts(true)
      .sinkCommonInsts(true);
}

llvm::LICMPass hoist() {
  const llvm::PipelineTuningOptions options;
  return llvm::LICMPass(options.LicmMssaOptCap, options.LicmMssaNoAccForPromotionCap,
                        /*AllowSpeculation=*/true);
}

// Loops in canonical form, those with few constant rounds unrolled: a helper's loop over the words
// of a key becomes what the key's size needs.
llvm::FunctionPassManager simplify_loops() {
  llvm::LoopPassManager shape;
  shape.addPass(llvm::LoopInstSimplifyPass());
  shape.addPass(llvm::LoopRotatePass());
  shape.addPass(hoist());
  shape.addPass(llvm::SimpleLoopUnswitchPass());
  llvm::LoopPassManager count;
  count.addPass(llvm::LoopIdiomRecognizePass());
  count.addPass(llvm::IndVarSimplifyPass());
  count.addPass(llvm::LoopDeletionPass());
  count.addPass(llvm::LoopFullUnrollPass(3));
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(shape), /*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(RuntimeFactsPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(count)));
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  return passes;
}

llvm::FunctionPassManager simplify_function() {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SCCPPass());
  // Before blocks are joined: it then sees what loops add up in a form that can be vectorised.
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(RuntimeFactsPass());
  passes.addPass(llvm::SimplifyCFGPass(llvm::SimplifyCFGOptions().convertSwitchRangeToICmp(true)));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::JumpThreadingPass());
  passes.addPass(llvm::CorrelatedValuePropagationPass());
  passes.addPass(llvm::ReassociatePass());
  passes.addPass(llvm::ConstraintEliminationPass());
  passes.addPass(OnLoops(simplify_loops()));
  passes.addPass(llvm::GVNPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(RuntimeFactsPass());
  passes.addPass(llvm::AggressiveInstCombinePass()); // pairs of loads that are joined
  passes.addPass(llvm::MemCpyOptPass());
  passes.addPass(llvm::DSEPass());
  llvm::FunctionPassManager loops;
  loops.addPass(llvm::createFunctionToLoopPassAdaptor(hoist(), /*UseMemorySSA=*/true));
  passes.addPass(OnLoops(std::move(loops)));
  passes.addPass(CarriedValuesPass());
  passes.addPass(llvm::SimplifyCFGPass(joining()));
  return passes;
}

// What makes code larger, and what that leaves behind.
llvm::FunctionPassManager expand_function() {
  llvm::LoopPassManager rotate;
  rotate.addPass(llvm::LoopRotatePass());
  rotate.addPass(llvm::LoopDeletionPass());
  llvm::FunctionPassManager loops;
  loops.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(rotate)));
  loops.addPass(llvm::LoopVectorizePass());
  loops.addPass(llvm::InstCombinePass());
  llvm::FunctionPassManager unroll;
  unroll.addPass(llvm::LoopUnrollPass(llvm::LoopUnrollOptions(kLevel.getSpeedupLevel())));
  unroll.addPass(llvm::SROAPass(llvm::SROAOptions::PreserveCFG));
  unroll.addPass(llvm::InstCombinePass());
  unroll.addPass(llvm::createFunctionToLoopPassAdaptor(hoist(), /*UseMemorySSA=*/true));
  llvm::FunctionPassManager passes;
  passes.addPass(OnLoops(std::move(loops)));
  passes.addPass(llvm::SimplifyCFGPass(
      joining().forwardSwitchCondToPhi(true).convertSwitchToLookupTable(true).needCanonicalLoops(
          false)));
  passes.addPass(llvm::SLPVectorizerPass());
  passes.addPass(llvm::VectorCombinePass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(OnLoops(std::move(unroll)));
  passes.addPass(llvm::InferAlignmentPass());
  passes.addPass(llvm::DivRemPairsPass());
  passes.addPass(llvm::SimplifyCFGPass(
      llvm::SimplifyCFGOptions().convertSwitchRangeToICmp(true).speculateUnpredictables(true)));
  passes.addPass(UnrollTwicePass());
  return passes;
}

bool is_inlined(const llvm::Function* function) {
  return function != nullptr && !function->isDeclaration() &&
         function->hasFnAttribute(llvm::Attribute::AlwaysInline);
}

// As LLVM's own pass does, without the analyses that it asks for and has no use of here. What
// depends on constants at the call is left out while it is copied.
void inline_calls(llvm::Function& function) {
  llvm::SmallVector<llvm::CallBase*, 16> calls;
  for (llvm::Instruction& insn : llvm::instructions(function))
    if (auto* call = llvm::dyn_cast<llvm::CallBase>(&insn))
      calls.push_back(call);
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!is_inlined(calls[i]->getCalledFunction()))
      continue;
    llvm::InlineFunctionInfo info;
    if (llvm::InlineFunction(*calls[i], info, /*MergeAttributes=*/true, /*CalleeAAR=*/nullptr,
                             /*InsertLifetime=*/false)
            .isSuccess())
      calls.append(info.InlinedCallSites.begin(), info.InlinedCallSites.end());
  }
}

void inline_helpers(llvm::Module& module) {
  for (llvm::Function& function : module)
    if (!function.isDeclaration() && !is_inlined(&function))
      inline_calls(function);
}

bool has_subprograms(const llvm::Module& module) {
  for (const llvm::Function& function : module)
    if (!function.isDeclaration() && function.hasLocalLinkage() && !is_inlined(&function))
      for (const llvm::User* user : function.users())
        if (llvm::isa<llvm::CallBase>(user))
          return true;
  return false;
}

// LLVM's standard passes in about their order, but each function simplification once: helpers come
// simplified, and there is nothing between functions to be found that would need repeating it. Passes
// are left out that change next to nothing in the programs of bench/exec and in real ones: bit-tracking
// dead code elimination, second rounds of others.
// Measured against the standard pipeline over bench/exec: the same time in the geometric mean, from
// 0.97 to 1.04.
llvm::ModulePassManager program_passes(llvm::PassBuilder& builder, const llvm::Module& module) {
  llvm::ModulePassManager passes;
  passes.addPass(llvm::GlobalDCEPass());
  if (has_subprograms(module))
    passes.addPass(builder.buildInlinerPipeline(kLevel, llvm::ThinOrFullLTOPhase::None));
  else
    passes.addPass(llvm::createModuleToFunctionPassAdaptor(simplify_function()));
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(expand_function()));
  passes.addPass(llvm::GlobalDCEPass());
  passes.addPass(llvm::ConstantMergePass());
  return passes;
}

// LLVM 19 frees a frame of eight bytes on x86_64 by popping into a register that it takes for one
// the caller gives up, such as rcx, also in functions that promise to keep it. So the frame of such
// a function is never that small.
void widen_preserving_frames(llvm::Module& module) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* room = llvm::ArrayType::get(llvm::Type::getInt64Ty(context), 2);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {llvm::PointerType::getUnqual(context)}, false);
  llvm::InlineAsm* nothing = llvm::InlineAsm::get(type, "", "=*m", true);
  for (llvm::Function& function : module) {
    if (function.isDeclaration() || function.getCallingConv() != llvm::CallingConv::PreserveMost)
      continue;
    llvm::IRBuilder<> builder(&*function.getEntryBlock().getFirstInsertionPt());
    llvm::CallInst* use = builder.CreateCall(type, nothing, {builder.CreateAlloca(room)});
    use->addParamAttr(0, llvm::Attribute::get(context, llvm::Attribute::ElementType, room));
  }
}

} // namespace

llvm::TargetLibraryInfoImpl known_library(const llvm::Module& module) {
  llvm::TargetLibraryInfoImpl library{llvm::Triple(module.getTargetTriple())};
  library.disableAllFunctions();
  for (const llvm::LibFunc function :
       {llvm::LibFunc_memcpy, llvm::LibFunc_memmove, llvm::LibFunc_memset, llvm::LibFunc_memcmp})
    library.setAvailable(function);
  return library;
}

void optimise(llvm::Module& module, llvm::TargetMachine& machine, int level, bool size) {
  static constexpr const llvm::OptimizationLevel* kLevels[] = {
      &llvm::OptimizationLevel::O0, &llvm::OptimizationLevel::O1, &llvm::OptimizationLevel::O2,
      &llvm::OptimizationLevel::O3};
  if (size)
    for (llvm::Function& function : module)
      if (!function.isDeclaration() && !function.hasFnAttribute(llvm::Attribute::OptimizeNone))
        function.addFnAttr(llvm::Attribute::OptimizeForSize);
  Optimiser optimiser(module, machine, tuning(level >= 2));
  add_own_passes(optimiser.builder());
  if (level != 2 || size) {
    optimiser.run(level == 0
                      ? optimiser.builder().buildO0DefaultPipeline(llvm::OptimizationLevel::O0)
                      : optimiser.builder().buildPerModuleDefaultPipeline(
                            size ? llvm::OptimizationLevel::Os : *kLevels[level]),
                  module);
  } else {
    inline_helpers(module);
    optimiser.run(program_passes(optimiser.builder(), module), module);
  }
  widen_preserving_frames(module);
}

void simplify(llvm::Module& module, llvm::TargetMachine& machine) {
  Optimiser optimiser(module, machine, tuning(false));
  optimiser.run(optimiser.builder().buildThinLTOPreLinkDefaultPipeline(llvm::OptimizationLevel::O2),
                module);
}

} // namespace bpfaot::aotc
