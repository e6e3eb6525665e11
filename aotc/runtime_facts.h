// SPDX-License-Identifier: MIT
//
// What LLVM cannot know about memory that it sees minirt read: the runtime block is filled before
// any program runs and read-only afterwards, each of its map slots holds two addresses, and the
// header that a slot points to is sealed. Told to LLVM as metadata, once minirt's code stands
// inline.
#pragma once

#include <llvm/IR/PassManager.h>

namespace bpfaot::aotc {

// Belongs behind each instruction combiner: only then can the object behind a load be seen.
struct RuntimeFactsPass : llvm::PassInfoMixin<RuntimeFactsPass> {
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager&);
};

} // namespace bpfaot::aotc
