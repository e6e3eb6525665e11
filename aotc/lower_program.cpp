// SPDX-License-Identifier: MIT
//
// One program: an LLVM function for each of its functions, and the entry that the trampoline calls.
//
//   uint64_t entry(void *ctx) {
//     struct bpfaot_env env = {ctx, site, 0, 0, index};      // site = ((void **)ctx)[-1] when
//     needed if (flags && !__bpfaot_rt_enter(&env, flags)) return 0; // missed, counted uint64_t r
//     = main(&env, ctx); if (flags) __bpfaot_rt_leave(&env, flags); return r;
//   }
//
// The entry of an attached program keeps all registers where the machine's back end can do that, so
// that the trampoline saves only what the program reads.
#include "aotc/function_lowering.h"

#include <bpfaot/abi.h>

namespace bpfaot::aotc {
namespace {

constexpr uint32_t kGlueFlags = BPFAOT_PROG_NEEDS_GUARD | BPFAOT_PROG_NEEDS_CPU;

// A parameter is a pointer when every caller passes one.
llvm::FunctionType* function_type(ProgramLowering& program, bpf::FuncId id) {
  llvm::LLVMContext& context = program.module.context();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  llvm::Type* word = llvm::Type::getInt64Ty(context);
  const bpf::Function& function = program.program().functions[id.value];
  const auto& before = program.facts().insns[function.begin.value].before;
  std::vector<llvm::Type*> parameters = {pointer};
  const uint32_t count = id.value == 0 ? 1 : 5;
  for (uint32_t i = 1; i <= count; ++i)
    parameters.push_back(id.value == 0 || is_pointer(before[i].kind) ? pointer : word);
  bool returns_pointer = id.value != 0 && !program.facts().functions[id.value].tail_calls;
  for (bpf::InsnIndex i = function.begin; i < function.end; i = i.next()) {
    const verifier::InsnFacts& facts = program.facts().insns[i.value];
    if (facts.reached && std::holds_alternative<bpf::Exit>(program.program().at(i).insn))
      returns_pointer &= is_pointer(facts.before[0].kind);
  }
  return llvm::FunctionType::get(returns_pointer ? pointer : word, parameters, false);
}

void store_field(llvm::IRBuilder<>& builder, llvm::Value* env, uint64_t offset,
                 llvm::Value* value) {
  builder.CreateStore(value, builder.CreateConstGEP1_64(builder.getInt8Ty(), env, offset));
}

llvm::Value* make_env(llvm::IRBuilder<>& builder, llvm::Value* ctx, uint32_t flags,
                      uint32_t index) {
  llvm::AllocaInst* env = builder.CreateAlloca(
      llvm::ArrayType::get(builder.getInt8Ty(), sizeof(bpfaot_env)), nullptr, "env");
  env->setAlignment(llvm::Align(8));
  llvm::Constant* null = llvm::ConstantPointerNull::get(builder.getPtrTy());
  llvm::Value* site = null;
  if ((flags & BPFAOT_PROG_NEEDS_SITE) != 0)
    site = builder.CreateLoad(
        builder.getPtrTy(),
        builder.CreateConstGEP1_64(builder.getInt8Ty(), ctx, static_cast<uint64_t>(-8)));
  store_field(builder, env, offsetof(bpfaot_env, ctx), ctx);
  store_field(builder, env, offsetof(bpfaot_env, site), site);
  store_field(builder, env, offsetof(bpfaot_env, thread), null);
  store_field(builder, env, offsetof(bpfaot_env, cpu), builder.getInt32(0));
  store_field(builder, env, offsetof(bpfaot_env, program), builder.getInt32(index));
  if ((flags & BPFAOT_PROG_TAIL_CALLS) != 0) {
    store_field(builder, env, offsetof(bpfaot_env, tail_calls), builder.getInt32(0));
    store_field(builder, env, offsetof(bpfaot_env, tail_target), builder.getInt32(0));
  }
  return env;
}

// The cookie, or what the callback for exceptions makes of it.
llvm::Value* result_if_thrown(ProgramLowering& program, llvm::IRBuilder<>& builder,
                              llvm::Value* env, llvm::Value* returned) {
  const auto field = [&](uint64_t offset) -> llvm::Value* {
    return builder.CreateLoad(builder.getInt64Ty(),
                              builder.CreateConstGEP1_64(builder.getInt8Ty(), env, offset));
  };
  llvm::Value* has_thrown = builder.CreateIsNotNull(field(offsetof(bpfaot_env, thrown)));
  llvm::BasicBlock* from = builder.GetInsertBlock();
  llvm::Function* entry = from->getParent();
  llvm::BasicBlock* thrown = llvm::BasicBlock::Create(builder.getContext(), "thrown", entry);
  llvm::BasicBlock* leave = llvm::BasicBlock::Create(builder.getContext(), "leave", entry);
  builder.CreateCondBr(has_thrown, thrown, leave);
  builder.SetInsertPoint(thrown);
  builder.CreateStore(builder.getInt64(0), builder.CreateConstGEP1_64(builder.getInt8Ty(), env,
                                                                      offsetof(bpfaot_env, thrown)));
  llvm::Value* result = field(offsetof(bpfaot_env, cookie));
  if (const bpf::FuncId id = program.program().exception_callback; id.valid()) {
    llvm::Function* callback = program.functions[id.value];
    std::vector<llvm::Value*> arguments = {env, result};
    for (uint32_t i = 2; i < callback->arg_size(); ++i)
      arguments.push_back(llvm::Constant::getNullValue(callback->getArg(i)->getType()));
    result = builder.CreateCall(callback, arguments);
  }
  builder.CreateBr(leave);
  builder.SetInsertPoint(leave);
  llvm::PHINode* value = builder.CreatePHI(builder.getInt64Ty(), 2);
  value->addIncoming(returned, from);
  value->addIncoming(result, thrown);
  return value;
}

// A program that may throw, with what becomes of it: also when it runs in another's place.
llvm::Function* make_catcher(ProgramLowering& program) {
  const bpf::Program& source = program.program();
  llvm::Function* thrower = program.functions[0];
  llvm::Function* catcher =
      program.module.create_function(thrower->getFunctionType(), "catch." + source.name);
  program.module.describe(*catcher, source.name, source, source.functions[0].begin);
  llvm::IRBuilder<> builder(
      llvm::BasicBlock::Create(program.module.context(), "entry", catcher));
  builder.SetCurrentDebugLocation(
      program.module.location(*catcher, source, source.functions[0].begin));
  llvm::Value* env = catcher->getArg(0);
  store_field(builder, env, offsetof(bpfaot_env, thrown), builder.getInt64(0));
  llvm::Value* value = builder.CreateCall(thrower, {env, catcher->getArg(1)});
  builder.CreateRet(result_if_thrown(program, builder, env, value));
  return catcher;
}

Status make_entry(ModuleLowering& module, const bpf::Program& source, LoweredProgram& result,
                  uint32_t index) {
  llvm::IRBuilder<> builder(module.context());
  llvm::FunctionType* type =
      llvm::FunctionType::get(builder.getInt64Ty(), {builder.getPtrTy()}, false);
  llvm::Function* entry = module.create_function(type, "entry." + source.name);
  entry->addParamAttr(0, llvm::Attribute::NonNull);
  if (result.kind == BPFAOT_KIND_PROBE && module.target().preserves_registers) {
    entry->setCallingConv(llvm::CallingConv::PreserveMost);
    result.flags |= BPFAOT_PROG_PRESERVES;
    result.clobbers = module.target().entry_clobbers;
  }
  module.describe(*entry, "entry." + source.name, source, source.functions[0].begin);
  builder.SetCurrentDebugLocation(module.location(*entry, source, source.functions[0].begin));
  builder.SetInsertPoint(llvm::BasicBlock::Create(module.context(), "entry", entry));
  llvm::Value* ctx = entry->getArg(0);
  llvm::Value* env = make_env(builder, ctx, result.flags, index);
  const uint32_t glue = result.flags & kGlueFlags;
  if (glue != 0) {
    llvm::Function* enter = module.runtime_function("__bpfaot_rt_enter");
    if (enter == nullptr || module.runtime_function("__bpfaot_rt_leave") == nullptr)
      return fail(Code::kResource, "the runtime has no entry functions");
    llvm::Value* may_run =
        builder.CreateIsNotNull(builder.CreateCall(enter, {env, builder.getInt32(glue)}));
    llvm::BasicBlock* run = llvm::BasicBlock::Create(module.context(), "run", entry);
    llvm::BasicBlock* missed = llvm::BasicBlock::Create(module.context(), "missed", entry);
    builder.CreateCondBr(may_run, run, missed);
    builder.SetInsertPoint(missed);
    builder.CreateRet(builder.getInt64(0));
    builder.SetInsertPoint(run);
  }
  llvm::Value* value = builder.CreateCall(result.main, {env, ctx});
  if (!result.main->hasFnAttribute(llvm::Attribute::NoInline))
    result.main->addFnAttr(llvm::Attribute::AlwaysInline); // nobody else calls it
  if (glue != 0)
    builder.CreateCall(module.runtime_function("__bpfaot_rt_leave"), {env, builder.getInt32(glue)});
  builder.CreateRet(value);
  result.entry = entry;
  return {};
}

} // namespace

Result<LoweredProgram> lower_program(ModuleLowering& module,
                                     const verifier::VerifiedProgram& verified) {
  ProgramLowering program{module, verified, {}, {}};
  program.result.kind = image_kind(verified.program().kind);
  const auto& functions = verified.program().functions;
  for (uint32_t i = 0; i < functions.size(); ++i) {
    const std::string name =
        "prog." + verified.program().name + (i == 0 ? "" : "." + functions[i].name);
    program.functions.push_back(
        module.create_function(function_type(program, bpf::FuncId(i)), name));
    module.describe(*program.functions.back(), functions[i].name, verified.program(),
                    functions[i].begin);
  }
  program.find_throws();
  for (uint32_t i = 0; i < functions.size(); ++i)
    TRY(FunctionLowering(program, bpf::FuncId(i)).run());
  if (verified.facts().ctx_escapes)
    program.result.flags |= BPFAOT_PROG_CTX_ESCAPES;
  if (verified.program().kind.is_return)
    program.result.flags |= BPFAOT_PROG_RETURN;
  if (verified.program().kind.optional)
    program.result.flags |= BPFAOT_PROG_NO_AUTOLOAD;
  if (verified.program().kind.sleepable)
    program.result.flags |= BPFAOT_PROG_SLEEPABLE;
  if (verified.program().kind.multi)
    program.result.flags |= BPFAOT_PROG_MULTI;
  for (const verifier::FunctionFacts& function : verified.facts().functions)
    if (function.tail_calls)
      program.result.flags |= BPFAOT_PROG_TAIL_CALLS;
  program.result.main = program.may_throw[0] ? make_catcher(program) : program.functions[0];
  return program.result;
}

Status finish_programs(ModuleLowering& module, std::span<const verifier::VerifiedProgram> programs,
                       std::span<LoweredProgram> lowered) {
  TRY(connect_tail_calls(module, programs, lowered));
  for (uint32_t i = 0; i < programs.size(); ++i)
    TRY(make_entry(module, programs[i].program(), lowered[i], i));
  return {};
}

} // namespace bpfaot::aotc
