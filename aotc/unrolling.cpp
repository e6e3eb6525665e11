// SPDX-License-Identifier: MIT
#include "aotc/unrolling.h"

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/InstrTypes.h>
#include <llvm/IR/Instructions.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/LoopUnrollPass.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/LoopUtils.h>

namespace bpfaot::aotc {
namespace {

constexpr unsigned kMaxInsns = 20; // of the body; twice that fits any loop buffer

// What of the body becomes code; more than kMaxInsns when the loop calls something.
unsigned size_of(const llvm::Loop& loop) {
  unsigned size = 0;
  for (const llvm::BasicBlock* block : loop.blocks())
    for (const llvm::Instruction& insn : *block) {
      if (llvm::isa<llvm::CallBase>(insn))
        return kMaxInsns + 1;
      const auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(&insn);
      const bool is_free = llvm::isa<llvm::PHINode>(insn) || llvm::isa<llvm::CastInst>(insn) ||
                           (address != nullptr && address->hasAllConstantIndices());
      size += is_free ? 0 : 1;
    }
  return size;
}

bool is_wanted(llvm::Loop& loop, llvm::ScalarEvolution& evolution) {
  if (!loop.isInnermost() || !loop.isLoopSimplifyForm() || size_of(loop) > kMaxInsns ||
      llvm::hasUnrollTransformation(&loop) != llvm::TM_Unspecified ||
      llvm::getBooleanLoopAttribute(&loop, "llvm.loop.isvectorized"))
    return false;
  const unsigned rounds = evolution.getSmallConstantTripCount(&loop);
  return rounds >= 4 && rounds % 2 == 0;
}

} // namespace

llvm::PreservedAnalyses UnrollTwicePass::run(llvm::Function& function,
                                             llvm::FunctionAnalysisManager& analyses) {
  llvm::LoopInfo& loops = analyses.getResult<llvm::LoopAnalysis>(function);
  if (loops.empty())
    return llvm::PreservedAnalyses::all();
  auto& evolution = analyses.getResult<llvm::ScalarEvolutionAnalysis>(function);
  bool any = false;
  for (llvm::Loop* loop : loops.getLoopsInPreorder())
    if (is_wanted(*loop, evolution)) {
      llvm::addStringMetadataToLoop(loop, "llvm.loop.unroll.count", 2);
      any = true;
    }
  if (!any)
    return llvm::PreservedAnalyses::all();
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::LoopUnrollPass(llvm::LoopUnrollOptions(2, /*OnlyWhenForced=*/true)));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  return passes.run(function, analyses);
}

} // namespace bpfaot::aotc
