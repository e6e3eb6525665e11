// SPDX-License-Identifier: MIT
//
// bpf_throw without unwinding: it sets a word of the environment and returns, and whoever calls a
// function that may throw looks at the word behind the call and returns too. That keeps the
// registers of the host right by itself; a program that does not throw pays one comparison with a
// word of its own stack for each such call that is not inlined.
#include "aotc/function_lowering.h"

#include <bpfaot/abi.h>

#include <llvm/IR/MDBuilder.h>

namespace bpfaot::aotc {

// Which functions may throw, themselves or by what they call.
void ProgramLowering::find_throws() {
  const auto& functions = program().functions;
  may_throw.assign(functions.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t f = 0; f < functions.size(); ++f)
      for (bpf::InsnIndex i = functions[f].begin; !may_throw[f] && i < functions[f].end; i = i.next()) {
        const bpf::ProgramInsn& at = program().at(i);
        const verifier::InsnFacts& facts_here = facts().insns[i.value];
        if (!facts_here.reached)
          continue;
        bpf::FuncId callee;
        if (std::holds_alternative<bpf::CallLocal>(at.insn))
          callee = at.callee;
        else if (const auto* indirect = std::get_if<bpf::CallIndirect>(&at.insn))
          callee = facts_here.before[indirect->target.number].func;
        const auto* kfunc = std::get_if<bpf::CallKfunc>(&at.insn);
        const bool throws = kfunc != nullptr && kfunc->btf_id == bpf::kfunc_throw;
        if (throws || (callee.valid() && may_throw[callee.value]))
          may_throw[f] = changed = true;
      }
  }
}

void FunctionLowering::return_thrown() {
  b_.CreateRet(llvm::Constant::getNullValue(function_->getReturnType()));
}

void FunctionLowering::return_if_thrown(bpf::FuncId callee) {
  if (!program_.may_throw[callee.value])
    return;
  llvm::Value* word = b_.CreateConstGEP1_64(b_.getInt8Ty(), function_->getArg(0),
                                            offsetof(bpfaot_env, thrown));
  llvm::Value* has_thrown = b_.CreateIsNotNull(b_.CreateLoad(b_.getInt64Ty(), word));
  llvm::BasicBlock* leave = llvm::BasicBlock::Create(b_.getContext(), "thrown", function_);
  llvm::BasicBlock* go_on = llvm::BasicBlock::Create(b_.getContext(), "not_thrown", function_);
  llvm::MDBuilder metadata(b_.getContext());
  b_.CreateCondBr(has_thrown, leave, go_on, metadata.createBranchWeights(1, 1 << 20));
  b_.SetInsertPoint(leave);
  return_thrown();
  b_.SetInsertPoint(go_on);
}

} // namespace bpfaot::aotc
