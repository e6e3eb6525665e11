// SPDX-License-Identifier: MIT
//
// Calls: of minirt's helpers and of the program's own functions.
#include "aotc/function_lowering.h"

#include "bpf/helpers.h"

#include <algorithm>

#include <bpfaot/abi.h>

#include <algorithm>

namespace bpfaot::aotc {

using bpf::HelperArg;
using bpf::Reg;
using verifier::Kind;

namespace {

bool is_array(const bpf::MapDef& map) {
  return map.type == bpf::MapType::array || map.type == bpf::MapType::percpu_array;
}

} // namespace

// Parameters of functions are pointers or numbers as the verifier's facts say; a helper knows one
// form. Once everything is inlined the conversions are gone.
llvm::Function* ProgramLowering::callback(bpf::FuncId id) {
  llvm::Function*& made = callbacks[id.value];
  if (made != nullptr)
    return made;
  llvm::Function* callee = functions[id.value];
  llvm::IRBuilder<> builder(module.context());
  llvm::Type *word = builder.getInt64Ty(), *pointer = builder.getPtrTy();
  made = module.create_function(
      llvm::FunctionType::get(word, {pointer, word, pointer, pointer, pointer}, false),
      "callback." + callee->getName().str());
  builder.SetInsertPoint(llvm::BasicBlock::Create(module.context(), "entry", made));
  std::vector<llvm::Value*> arguments = {made->getArg(0)};
  for (uint32_t i = 1; i < callee->arg_size(); ++i) {
    llvm::Type* wanted = callee->getArg(i)->getType();
    llvm::Value* given = i < made->arg_size() ? made->getArg(i) : nullptr;
    if (given == nullptr)
      arguments.push_back(llvm::Constant::getNullValue(wanted));
    else if (given->getType() == wanted)
      arguments.push_back(given);
    else
      arguments.push_back(wanted->isPointerTy() ? builder.CreateIntToPtr(given, wanted)
                                                : builder.CreatePtrToInt(given, wanted));
  }
  llvm::Value* result = builder.CreateCall(callee, arguments);
  builder.CreateRet(result->getType()->isPointerTy() ? builder.CreatePtrToInt(result, word)
                                                     : result);
  return made;
}

// What the program gains by this call: capabilities, and the flags of its entry glue.
Status FunctionLowering::note_helper(const bpf::HelperInfo& helper) {
  LoweredProgram& result = program_.result;
  result.capabilities |= helper.capabilities();
  if ((helper.flags & bpf::kHelperSite) != 0)
    result.flags |= BPFAOT_PROG_NEEDS_SITE;
  if ((helper.flags & bpf::kHelperCtx) != 0)
    result.flags |= BPFAOT_PROG_CTX_ESCAPES;
  if ((helper.capabilities() & BPFAOT_CAP_PRINTK) != 0)
    program_.module.need_printk_map();
  bool guard = (helper.flags & bpf::kHelperGuard) != 0;
  bool cpu = false;
  for (uint32_t i = 0; i < helper.arg_count(); ++i) {
    const verifier::RegFact& argument = fact(Reg{static_cast<uint8_t>(i + 1)});
    if (helper.args[i] == HelperArg::map) {
      const bpf::MapDef* map =
          argument.map.valid() ? &program_.module.object().maps[argument.map.value] : nullptr;
      if (map != nullptr && is_array(*map))
        guard = false; // arrays have no state but their values
      cpu |= map == nullptr || map->is_per_cpu() || map->type == bpf::MapType::perf_event_array;
    }
  }
  // On one path or on all.
  const std::vector<bpf::InsnIndex>& raw = program_.facts().raw_ctx;
  if (std::binary_search(raw.begin(), raw.end(), at_) && !reads_register())
    TRY(note_raw_context());
  if (guard)
    result.flags |= BPFAOT_PROG_NEEDS_GUARD;
  if (cpu) {
    result.flags |= BPFAOT_PROG_NEEDS_CPU;
    result.capabilities |= BPFAOT_CAP_PER_CPU;
  }
  return {};
}

// The bytes of the context themselves are read: all of them must be there, in the layout that the
// object knows.
Status FunctionLowering::note_raw_context() {
  if (program_.result.kind == BPFAOT_KIND_SOCKET || program_.result.kind == BPFAOT_KIND_TC ||
      program_.result.kind == BPFAOT_KIND_XDP)
    return program_.fail_at(at_, Code::kUnsupportedCtx,
                            "the context of a packet is read as memory, where the kernel has "
                            "structures that do not exist here");
  // libbpf's bpf_usdt_arg(): whoever fills the specifications of the arguments knows the registers of
  // the machine that the program runs on.
  const verifier::RegFact& from = fact(Reg{3});
  const bool is_told_where = program_.result.kind == BPFAOT_KIND_USDT && from.kind == Kind::ctx &&
                             !from.range.is_constant();
  if (has_registers(program_.result.kind) && !is_told_where &&
      machine_of(program_.program().ctx_machine) != &program_.module.target())
    return program_.fail_at(
        at_, Code::kCtxNoCounterpart,
        "the register file is read as memory, and the object's layout of it is not that of " +
            std::string(program_.module.target().name));
  program_.result.flags |= BPFAOT_PROG_CTX_ESCAPES;
  return {};
}

// From a constant text to the end of its section, whichever of several texts of one section it is.
Result<uint64_t> FunctionLowering::bytes_behind(Reg reg) {
  const verifier::RegFact& text = fact(reg);
  if (text.kind != Kind::map_value || !text.map.valid())
    return program_.fail_at(at_, Code::kHelperArg,
                            "the text of this call is of different sections on different paths");
  const uint64_t size = program_.module.object().maps[text.map.value].value_size;
  return text.range.umax < size ? size - text.range.umax : 0;
}

Status FunctionLowering::lower(const bpf::CallHelper& insn) {
  return lower_helper(insn.id);
}

Status FunctionLowering::lower_helper(int32_t id) {
  const bpf::HelperInfo* helper = bpf::find_helper(id);
  if (helper == nullptr)
    return unsupported("calls of helpers that minirt does not have");
  TRY(note_helper(*helper));
  if (id == bpf::kTailCall)
    return lower_tail_call();
  assume_shapes(*helper);
  if (insn_facts().result.kind == Kind::map_handle)
    return lower_map_lookup();
  if (TRY(lower_read()))
    return {};
  return lower_runtime_call(*helper);
}

Status FunctionLowering::lower(const bpf::CallKfunc& insn) {
  const bpf::HelperInfo* kfunc = bpf::find_kfunc(insn.btf_id);
  if (kfunc == nullptr)
    return unsupported("calls of kernel functions that minirt does not have");
  TRY(note_helper(*kfunc));
  TRY(lower_runtime_call(*kfunc));
  if (kfunc->id == bpf::kfunc_throw)
    return_thrown();
  return {};
}

Status FunctionLowering::lower_runtime_call(const bpf::HelperInfo& helper) {
  llvm::Function* callee =
      program_.module.runtime_function("__bpfaot_rt_" + std::string(helper.name));
  const auto texts = static_cast<size_t>(
      std::count(helper.args.begin(), helper.args.end(), HelperArg::const_str));
  if (callee == nullptr || callee->arg_size() != helper.arg_count() + 1 + texts)
    return program_.fail_at(at_, Code::kResource,
                            "the runtime has no fitting function for bpf_" +
                                std::string(helper.name));
  std::vector<llvm::Value*> arguments = {function_->getArg(0)};
  for (uint32_t i = 1; i <= helper.arg_count(); ++i) {
    const Reg reg{static_cast<uint8_t>(i)};
    llvm::Type* type = callee->getArg(static_cast<unsigned>(arguments.size()))->getType();
    if (type->isPointerTy())
      arguments.push_back(get_ptr(reg));
    else if (fact(reg).kind == Kind::none) // an argument that trace_printk's format does not use
      arguments.push_back(llvm::ConstantInt::get(type, 0));
    else
      arguments.push_back(b_.CreateZExtOrTrunc(get_int(reg), type));
    if (helper.args[i - 1] == HelperArg::const_str)
      arguments.push_back(b_.getInt64(TRY(bytes_behind(reg))));
  }
  llvm::CallInst* call = b_.CreateCall(callee, arguments);
  if (call->getType()->isPointerTy())
    set_ptr(Reg{0}, call);
  else
    set_int(Reg{0}, call->getType()->isVoidTy() ? b_.getInt64(0) : static_cast<llvm::Value*>(call));
  return {};
}

Status FunctionLowering::lower(const bpf::CallLocal&) {
  return lower_call(program_.program().at(at_).callee);
}

// The verifier has seen one target on all paths.
Status FunctionLowering::lower(const bpf::CallIndirect& insn) {
  const verifier::RegFact& target = fact(insn.target);
  if (target.kind == Kind::function && target.func.valid())
    return lower_call(target.func);
  if (target.kind == Kind::scalar && target.range.is_constant())
    return lower_helper(static_cast<int32_t>(target.range.umin));
  return unsupported("calls of what is not one function");
}

Status FunctionLowering::lower_call(bpf::FuncId callee_id) {
  llvm::Function* callee = program_.functions[callee_id.value];
  std::vector<llvm::Value*> arguments = {function_->getArg(0)};
  for (uint32_t i = 1; i < callee->arg_size(); ++i) {
    const Reg reg{static_cast<uint8_t>(i)};
    if (fact(reg).kind == Kind::none)
      arguments.push_back(llvm::Constant::getNullValue(callee->getArg(i)->getType()));
    else
      arguments.push_back(callee->getArg(i)->getType()->isPointerTy() ? get_ptr(reg)
                                                                      : get_int(reg));
  }
  llvm::Value* result = b_.CreateCall(callee, arguments);
  return_if_thrown(callee_id);
  if (program_.facts().functions[callee_id.value].tail_calls)
    result = follow_tail_call(result);
  if (result->getType()->isPointerTy())
    set_ptr(Reg{0}, result);
  else
    set_int(Reg{0}, result);
  return {};
}

// A map that was found in another one has the attributes that the object gives for such maps.
void FunctionLowering::assume_shapes(const bpf::HelperInfo& helper) {
  for (uint32_t i = 0; i < helper.arg_count(); ++i) {
    const Reg reg{static_cast<uint8_t>(i + 1)};
    const verifier::RegFact& argument = fact(reg);
    if (helper.args[i] != HelperArg::map || !argument.map.valid())
      continue;
    const bpf::MapDef& map = program_.module.object().maps[argument.map.value];
    if (!map.is_inner_template)
      continue;
    const std::pair<uint64_t, uint32_t> fields[] = {
        {offsetof(bpfaot_map_desc, type), static_cast<uint32_t>(map.type)},
        {offsetof(bpfaot_map_desc, key_size), map.key_size},
        {offsetof(bpfaot_map_desc, value_size), map.value_size}};
    for (const auto& [offset, value] : fields) {
      llvm::Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), get_ptr(reg), offset);
      b_.CreateAssumption(
          b_.CreateICmpEQ(b_.CreateLoad(b_.getInt32Ty(), place), b_.getInt32(value)));
    }
  }
}

Status FunctionLowering::lower_map_lookup() {
  ModuleLowering& module = program_.module;
  llvm::Function* lookup = module.runtime_function("__bpfaot_rt_map_lookup_map");
  if (lookup == nullptr || module.map_table() == nullptr)
    return program_.fail_at(at_, Code::kResource, "the runtime has no maps of maps");
  set_ptr(Reg{0}, b_.CreateCall(lookup, {function_->getArg(0), get_ptr(Reg{1}), get_ptr(Reg{2}),
                                         module.map_table(),
                                         b_.getInt64(module.object().maps.size())}));
  return {};
}

llvm::Value* FunctionLowering::env_field(uint64_t offset) {
  return b_.CreateConstGEP1_64(b_.getInt8Ty(), function_->getArg(0), offset);
}

// A function that ends by a tail call returns first, which drops its frame, and whoever called it
// runs the other program. The program itself jumps there at once: all of them have one signature.
llvm::Value* FunctionLowering::follow_tail_call(llvm::Value* result) {
  llvm::BasicBlock* before = b_.GetInsertBlock();
  llvm::BasicBlock* follow = llvm::BasicBlock::Create(b_.getContext(), "follow", function_);
  llvm::BasicBlock* after = llvm::BasicBlock::Create(b_.getContext(), "after", function_);
  llvm::Value* target =
      b_.CreateLoad(b_.getInt32Ty(), env_field(offsetof(bpfaot_env, tail_target)));
  b_.CreateCondBr(b_.CreateIsNotNull(target), follow, after);
  b_.SetInsertPoint(follow);
  llvm::Value* ctx = b_.CreateLoad(b_.getPtrTy(), env_field(offsetof(bpfaot_env, ctx)));
  llvm::Value* other = b_.CreateCall(
      program_.module.tail_calls().run(bpf::tail_family(program_.program().kind)),
      {function_->getArg(0), ctx});
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  llvm::PHINode* merged = b_.CreatePHI(b_.getInt64Ty(), 2);
  merged->addIncoming(result, before);
  merged->addIncoming(other, follow);
  return merged;
}

Status FunctionLowering::lower_tail_call() {
  TailCalls& tails = program_.module.tail_calls();
  const bpf::TailFamily family = bpf::tail_family(program_.program().kind);
  llvm::Value* env = function_->getArg(0);
  llvm::Value* taken =
      b_.CreateCall(tails.find(family), {env, get_ptr(Reg{1}), get_ptr(Reg{2}), get_int(Reg{3})});
  llvm::BasicBlock* leave = llvm::BasicBlock::Create(b_.getContext(), "leave", function_);
  llvm::BasicBlock* stay = llvm::BasicBlock::Create(b_.getContext(), "stay", function_);
  b_.CreateCondBr(taken, leave, stay);
  b_.SetInsertPoint(leave);
  if (id_.value == 0) {
    llvm::CallInst* call = b_.CreateCall(tails.run(family), {env, function_->getArg(1)});
    call->setTailCallKind(llvm::CallInst::TCK_MustTail);
    b_.CreateRet(call);
  } else {
    b_.CreateRet(b_.getInt64(0));
  }
  b_.SetInsertPoint(stay);
  return {};
}

} // namespace bpfaot::aotc
