// SPDX-License-Identifier: MIT
//
// An operation on values that a loop carries from round to round, when the round before has
// computed its result already. clang's back end for eBPF sinks parts of a sum past the loop's end,
// which then appear twice: at the end of one round and, on the carried operands, at the start of
// the next. LLVM sees such redundancy everywhere but over a loop's back edge.
#pragma once

#include <llvm/IR/PassManager.h>

namespace bpfaot::aotc {

struct CarriedValuesPass : llvm::PassInfoMixin<CarriedValuesPass> {
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

} // namespace bpfaot::aotc
