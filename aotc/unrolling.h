// SPDX-License-Identifier: MIT
//
// Small loops of known length, unrolled twice. LLVM leaves that to a limit in micro-operations of
// the processor's model, which loops from eBPF just exceed: clang's back end for it computes
// addresses by shifts and masks that native code folds into its addressing.
#pragma once

#include <llvm/IR/PassManager.h>

namespace bpfaot::aotc {

// Belongs behind LLVM's own unroller and the vectorisers, and leaves alone what they have changed.
struct UnrollTwicePass : llvm::PassInfoMixin<UnrollTwicePass> {
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

} // namespace bpfaot::aotc
