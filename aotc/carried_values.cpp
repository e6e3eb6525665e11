// SPDX-License-Identifier: MIT
//
// x = op(phi a, phi b): where every predecessor has op(a', b') of the values that come from it, or
// that is a constant, x is a phi of those.
#include "aotc/carried_values.h"

#include <llvm/Analysis/InstructionSimplify.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

namespace bpfaot::aotc {
namespace {

constexpr unsigned kMaxUsers = 32; // of a value that are looked at

class Folder {
public:
  Folder(llvm::Function& function, const llvm::DominatorTree& dominators)
      : query_(function.getParent()->getDataLayout()), dominators_(dominators) {}

  // Whether `operation` became a phi.
  bool fold(llvm::BinaryOperator& operation) {
    llvm::BasicBlock* block = operation.getParent();
    const auto carried = [&](const llvm::Value* operand) {
      const auto* phi = llvm::dyn_cast<llvm::PHINode>(operand);
      return phi != nullptr && phi->getParent() == block;
    };
    const auto invariant = [&](const llvm::Value* operand) {
      const auto* insn = llvm::dyn_cast<llvm::Instruction>(operand);
      return insn == nullptr || dominators_.properlyDominates(insn->getParent(), block);
    };
    bool any = false;
    for (const llvm::Value* operand : operation.operands()) {
      if (!carried(operand) && !invariant(operand))
        return false;
      any |= carried(operand);
    }
    if (!any)
      return false;
    llvm::SmallVector<std::pair<llvm::BasicBlock*, llvm::Value*>, 4> incoming;
    for (llvm::BasicBlock* from : block->phis().begin()->blocks()) {
      llvm::Value* value =
          available(operation, operation.getOperand(0)->DoPHITranslation(block, from),
                    operation.getOperand(1)->DoPHITranslation(block, from), from);
      if (value == nullptr)
        return false;
      incoming.emplace_back(from, value);
    }
    auto* phi = llvm::PHINode::Create(operation.getType(), static_cast<unsigned>(incoming.size()),
                                      "", block->begin());
    for (const auto& [from, value] : incoming) {
      // What was computed for one use now serves another, for which its promises were not made.
      if (auto* same = llvm::dyn_cast<llvm::BinaryOperator>(value))
        same->dropPoisonGeneratingFlags();
      phi->addIncoming(value == &operation ? phi : value, from);
    }
    operation.replaceAllUsesWith(phi);
    phi->takeName(&operation);
    operation.eraseFromParent();
    return true;
  }

private:
  llvm::Value* available(const llvm::BinaryOperator& like, llvm::Value* left, llvm::Value* right,
                         const llvm::BasicBlock* at) const {
    if (llvm::Value* simple = llvm::simplifyBinOp(like.getOpcode(), left, right, query_)) {
      const auto* insn = llvm::dyn_cast<llvm::Instruction>(simple);
      return insn == nullptr || dominators_.dominates(insn, at->getTerminator()) ? simple : nullptr;
    }
    llvm::Value* shared = llvm::isa<llvm::Constant>(left) ? right : left;
    if (llvm::isa<llvm::Constant>(shared))
      return nullptr;
    unsigned looked_at = 0;
    for (llvm::User* user : shared->users()) {
      if (++looked_at > kMaxUsers)
        break;
      auto* same = llvm::dyn_cast<llvm::BinaryOperator>(user);
      if (same == nullptr || same->getOpcode() != like.getOpcode() ||
          same->getFunction() != at->getParent())
        continue;
      const bool equal = same->getOperand(0) == left && same->getOperand(1) == right;
      const bool swapped =
          like.isCommutative() && same->getOperand(0) == right && same->getOperand(1) == left;
      if ((equal || swapped) && dominators_.dominates(same, at->getTerminator()))
        return same;
    }
    return nullptr;
  }

  llvm::SimplifyQuery query_;
  const llvm::DominatorTree& dominators_;
};

} // namespace

llvm::PreservedAnalyses CarriedValuesPass::run(llvm::Function& function,
                                               llvm::FunctionAnalysisManager& analyses) {
  Folder folder(function, analyses.getResult<llvm::DominatorTreeAnalysis>(function));
  bool changed = false;
  for (llvm::BasicBlock& block : function) {
    if (block.phis().empty())
      continue;
    // In order: what became a phi may be an operand of the next.
    for (llvm::Instruction& insn : llvm::make_early_inc_range(block))
      if (auto* operation = llvm::dyn_cast<llvm::BinaryOperator>(&insn))
        changed |= folder.fold(*operation);
  }
  if (!changed)
    return llvm::PreservedAnalyses::all();
  llvm::PreservedAnalyses preserved;
  preserved.preserveSet<llvm::CFGAnalyses>();
  return preserved;
}

} // namespace bpfaot::aotc
