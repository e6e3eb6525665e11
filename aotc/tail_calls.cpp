// SPDX-License-Identifier: MIT
#include "aotc/tail_calls.h"

#include "aotc/module_lowering.h"

#include <bpfaot/abi.h>

#include <llvm/IR/IRBuilder.h>

namespace bpfaot::aotc {
namespace {

llvm::Value* field(llvm::IRBuilder<>& builder, llvm::Value* env, uint64_t offset) {
  return builder.CreateConstGEP1_64(builder.getInt8Ty(), env, offset);
}

llvm::BasicBlock* block(llvm::Function& function, const char* name) {
  return llvm::BasicBlock::Create(function.getContext(), name, &function);
}

} // namespace

TailCalls::Functions& TailCalls::functions(bpf::TailFamily family) {
  const auto [place, is_new] = functions_.try_emplace(family);
  Functions& result = place->second;
  if (!is_new)
    return result;
  llvm::LLVMContext& context = module_.context();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  llvm::Type* word = llvm::Type::getInt64Ty(context);
  const std::string number = std::to_string(static_cast<unsigned>(family));
  result.find = module_.create_function(
      llvm::FunctionType::get(llvm::Type::getInt1Ty(context), {pointer, pointer, pointer, word},
                              false),
      "tail.find." + number);
  result.run = module_.create_function(llvm::FunctionType::get(word, {pointer, pointer}, false),
                                       std::string(kTailRunPrefix) + number);
  result.run->addFnAttr(llvm::Attribute::NoInline);
  return result;
}

// Bounds and slot by minirt; whether the slot names a program of the family, and the limit, here. As
// in the kernel an empty slot costs nothing of the limit.
Status TailCalls::write_find(llvm::Function& find, std::span<const Target> targets) {
  llvm::Function* slot_of = module_.runtime_function("__bpfaot_rt_tail_call");
  if (slot_of == nullptr)
    return fail(Code::kResource, "the runtime has no tail calls");
  llvm::IRBuilder<> builder(block(find, "entry"));
  llvm::BasicBlock *known = block(find, "known"), *taken = block(find, "taken"),
                   *none = block(find, "none");
  llvm::Value* env = find.getArg(0);
  llvm::Value* target = builder.CreateTrunc(
      builder.CreateCall(slot_of, {env, find.getArg(1), find.getArg(2), find.getArg(3)}),
      builder.getInt32Ty());
  llvm::SwitchInst* which =
      builder.CreateSwitch(target, none, static_cast<unsigned>(targets.size()));
  for (const Target& one : targets)
    which->addCase(builder.getInt32(one.program + 1), known);
  builder.SetInsertPoint(known);
  llvm::Value* counter = field(builder, env, offsetof(bpfaot_env, tail_calls));
  llvm::Value* count = builder.CreateLoad(builder.getInt32Ty(), counter);
  builder.CreateCondBr(builder.CreateICmpULT(count, builder.getInt32(BPFAOT_MAX_TAIL_CALLS)), taken,
                       none);
  builder.SetInsertPoint(taken);
  builder.CreateStore(builder.CreateAdd(count, builder.getInt32(1)), counter);
  builder.CreateStore(target, field(builder, env, offsetof(bpfaot_env, tail_target)));
  builder.CreateRet(builder.getTrue());
  builder.SetInsertPoint(none);
  builder.CreateRet(builder.getFalse());
  return {};
}

void TailCalls::write_run(llvm::Function& run, std::span<const Target> targets) {
  llvm::IRBuilder<> builder(block(run, "entry"));
  llvm::BasicBlock* nobody = block(run, "nobody");
  llvm::Value* place = field(builder, run.getArg(0), offsetof(bpfaot_env, tail_target));
  llvm::Value* target = builder.CreateLoad(builder.getInt32Ty(), place);
  builder.CreateStore(builder.getInt32(0), place);
  llvm::SwitchInst* which =
      builder.CreateSwitch(target, nobody, static_cast<unsigned>(targets.size()));
  for (const Target& one : targets) {
    llvm::BasicBlock* jump = block(run, "jump");
    which->addCase(builder.getInt32(one.program + 1), jump);
    builder.SetInsertPoint(jump);
    llvm::CallInst* call = builder.CreateCall(one.main, {run.getArg(0), run.getArg(1)});
    call->setTailCallKind(llvm::CallInst::TCK_MustTail);
    builder.CreateRet(call);
  }
  builder.SetInsertPoint(nobody); // `find` lets nothing else into env
  builder.CreateIntrinsic(llvm::Intrinsic::trap, {}, {});
  builder.CreateUnreachable();
}

Status TailCalls::write(bpf::TailFamily family, std::span<const Target> targets) {
  const Functions& both = functions(family);
  TRY(write_find(*both.find, targets));
  write_run(*both.run, targets);
  return {};
}

Status connect_tail_calls(ModuleLowering& module,
                          std::span<const verifier::VerifiedProgram> programs,
                          std::span<LoweredProgram> lowered) {
  std::map<bpf::TailFamily, std::vector<TailCalls::Target>> families;
  for (uint32_t i = 0; i < programs.size(); ++i)
    if (const auto family = bpf::tail_family(programs[i].program().kind);
        module.tail_calls().is_used(family))
      families[family].push_back({i, lowered[i].main});
  for (const auto& [family, members] : families) {
    LoweredProgram all;
    for (const TailCalls::Target& member : members) {
      const LoweredProgram& one = lowered[member.program];
      all.flags |= one.flags & (BPFAOT_PROG_NEEDS_SITE | BPFAOT_PROG_NEEDS_GUARD |
                                BPFAOT_PROG_NEEDS_CPU | BPFAOT_PROG_CTX_ESCAPES);
      all.ctx_reads |= one.ctx_reads;
      all.ctx_writes |= one.ctx_writes;
      all.capabilities |= one.capabilities;
      member.main->addFnAttr(llvm::Attribute::NoInline);
    }
    for (const TailCalls::Target& member : members) {
      LoweredProgram& one = lowered[member.program];
      if ((one.flags & BPFAOT_PROG_TAIL_CALLS) == 0)
        continue;
      one.flags |= all.flags;
      one.ctx_reads |= all.ctx_reads;
      one.ctx_writes |= all.ctx_writes;
      one.capabilities |= all.capabilities;
    }
    TRY(module.tail_calls().write(family, members));
  }
  return {};
}

} // namespace bpfaot::aotc
