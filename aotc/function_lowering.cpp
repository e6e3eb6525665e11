// SPDX-License-Identifier: MIT
//
// Blocks, registers, the frame and control flow of a function; see the header for the design.
#include "aotc/function_lowering.h"

#include <llvm/IR/Intrinsics.h>

#include <algorithm>

namespace bpfaot::aotc {

using bpf::InsnIndex;
using bpf::Reg;
using verifier::Kind;

namespace {

constexpr uint64_t kMayGotoBudget = 8'388'608; // the kernel's BPF_MAX_LOOPS

} // namespace

Failure ProgramLowering::fail_at(InsnIndex insn, Code code, std::string message) const {
  Diagnostic diagnostic = make_error(code, std::move(message));
  diagnostic.subject = program().name;
  diagnostic.slot = program().at(insn).slot.value;
  diagnostic.insn = bpf::print(program().at(insn).insn);
  if (const bpf::LineInfo* line = program().line_of(insn))
    diagnostic.location = SourceLocation{line->file, line->line, line->column, line->text};
  return Failure(std::move(diagnostic));
}

FunctionLowering::FunctionLowering(ProgramLowering& program, bpf::FuncId id)
    : program_(program), id_(id), source_(program.program().functions[id.value]),
      function_(program.functions[id.value]), b_(program.module.context()) {}

llvm::Value* FunctionLowering::get_int(Reg reg) {
  return b_.CreateLoad(b_.getInt64Ty(), ints_[reg.number]);
}

llvm::Value* FunctionLowering::get_ptr(Reg reg) {
  return b_.CreateLoad(b_.getPtrTy(), ptrs_[reg.number]);
}

void FunctionLowering::set_int(Reg reg, llvm::Value* value) {
  value = b_.CreateZExt(value, b_.getInt64Ty());
  b_.CreateStore(value, ints_[reg.number]);
  b_.CreateStore(b_.CreateIntToPtr(value, b_.getPtrTy()), ptrs_[reg.number]);
}

void FunctionLowering::set_ptr(Reg reg, llvm::Value* value) {
  b_.CreateStore(value, ptrs_[reg.number]);
  b_.CreateStore(b_.CreatePtrToInt(value, b_.getInt64Ty()), ints_[reg.number]);
}

llvm::Value* FunctionLowering::narrow(llvm::Value* value, uint32_t bits) {
  return b_.CreateTrunc(value, int_type(bits));
}

// An immediate is sign-extended to 64 bits and then cut to the operation's width.
llvm::Value* FunctionLowering::operand(const bpf::Operand& src, uint32_t bits) {
  if (const int32_t* imm = std::get_if<int32_t>(&src))
    return llvm::ConstantInt::getSigned(int_type(bits), *imm);
  return narrow(get_int(std::get<Reg>(src)), bits);
}

void FunctionLowering::create_cells() {
  for (uint32_t i = 0; i < ints_.size(); ++i) {
    ints_[i] = b_.CreateAlloca(b_.getInt64Ty(), nullptr, "r" + std::to_string(i));
    ptrs_[i] = b_.CreateAlloca(b_.getPtrTy(), nullptr, "p" + std::to_string(i));
  }
}

// The frame is one object: pointers into it may be computed, so it cannot be cut up by us (LLVM
// cuts what does not escape). The kernel lets programs read what they did not write; such bytes are
// zero.
void FunctionLowering::create_frame() {
  const verifier::FunctionFacts& facts = program_.facts().functions[id_.value];
  const uint32_t size = (facts.stack_depth + 15) / 16 * 16;
  if (size == 0) {
    set_ptr(bpf::kFramePointer, llvm::ConstantPointerNull::get(b_.getPtrTy()));
    return;
  }
  llvm::AllocaInst* frame =
      b_.CreateAlloca(llvm::ArrayType::get(b_.getInt8Ty(), size), nullptr, "frame");
  frame->setAlignment(llvm::Align(16));
  if (!program_.stack_reads)
    find_stack_reads();
  std::vector<verifier::ByteRange> zeroed = facts.unwritten;
  const auto& reads = (*program_.stack_reads)[id_.value];
  zeroed.insert(zeroed.end(), reads.begin(), reads.end());
  for (const verifier::ByteRange& range : zeroed)
    b_.CreateMemSet(b_.CreateConstGEP1_64(b_.getInt8Ty(), frame,
                                          static_cast<uint64_t>(int64_t{size} + range.begin)),
                    b_.getInt8(0), static_cast<uint64_t>(range.end - range.begin),
                    llvm::MaybeAlign());
  set_ptr(bpf::kFramePointer, b_.CreateConstGEP1_64(b_.getInt8Ty(), frame, size));
}

llvm::BasicBlock* FunctionLowering::block_at(InsnIndex insn) {
  return blocks_[insn.value - source_.begin.value];
}

void FunctionLowering::create_blocks() {
  blocks_.assign(source_.end.value - source_.begin.value + 1, nullptr);
  const auto need = [&](InsnIndex insn) {
    llvm::BasicBlock*& block = blocks_[insn.value - source_.begin.value];
    if (block == nullptr)
      block =
          llvm::BasicBlock::Create(b_.getContext(), "i" + std::to_string(insn.value), function_);
  };
  need(source_.begin);
  for (InsnIndex i = source_.begin; i < source_.end; i = i.next()) {
    const bpf::ProgramInsn& insn = program_.program().at(i);
    if (insn.target.valid()) {
      need(insn.target);
      need(i.next());
    }
  }
}

void FunctionLowering::store_arguments() {
  const auto& before = program_.facts().insns[source_.begin.value].before;
  // Argument 0 is the environment; the entry has the context only.
  for (uint32_t i = 1; i < function_->arg_size(); ++i) {
    llvm::Argument* argument = function_->getArg(i);
    if (argument->getType()->isPointerTy())
      set_ptr(Reg{static_cast<uint8_t>(i)}, argument);
    else if (before[i].kind != Kind::none)
      set_int(Reg{static_cast<uint8_t>(i)}, argument);
  }
}

void FunctionLowering::trap() {
  b_.CreateIntrinsic(llvm::Intrinsic::trap, {}, {});
  b_.CreateUnreachable();
}

Status FunctionLowering::run() {
  b_.SetInsertPoint(llvm::BasicBlock::Create(b_.getContext(), "entry", function_));
  const auto locate = [this](InsnIndex insn) {
    b_.SetCurrentDebugLocation(program_.module.location(*function_, program_.program(), insn));
  };
  locate(source_.begin);
  create_cells();
  may_goto_ = b_.CreateAlloca(b_.getInt64Ty(), nullptr, "budget");
  b_.CreateStore(b_.getInt64(kMayGotoBudget), may_goto_);
  create_frame();
  store_arguments();
  create_blocks();
  b_.CreateBr(block_at(source_.begin));
  b_.ClearInsertionPoint();
  for (at_ = source_.begin; at_ < source_.end; at_ = at_.next()) {
    if (llvm::BasicBlock* block = block_at(at_)) {
      if (b_.GetInsertBlock() != nullptr)
        b_.CreateBr(block);
      b_.SetInsertPoint(block);
    }
    if (b_.GetInsertBlock() == nullptr)
      continue; // nothing comes here
    locate(at_);
    if (!insn_facts().reached || program_.program().at(at_).poisoned) {
      trap();
      b_.ClearInsertionPoint();
      continue;
    }
    TRY(lower_insn());
    if (b_.GetInsertBlock()->getTerminator() != nullptr)
      b_.ClearInsertionPoint();
  }
  if (llvm::BasicBlock* past_end = blocks_.back()) {
    if (b_.GetInsertBlock() != nullptr)
      b_.CreateBr(past_end);
    b_.SetInsertPoint(past_end);
  }
  if (b_.GetInsertBlock() != nullptr)
    trap();
  return {};
}

Status FunctionLowering::lower_insn() {
  return std::visit([this](const auto& insn) { return lower(insn); },
                    program_.program().at(at_).insn);
}

Status FunctionLowering::unsupported(const char* what) {
  return program_.fail_at(at_, Code::kLowering, std::string(what) + " cannot be compiled");
}

Status FunctionLowering::lower(const bpf::Jump&) {
  b_.CreateBr(block_at(program_.program().at(at_).target));
  return {};
}

llvm::Value* FunctionLowering::compare(const bpf::Branch& insn) {
  using bpf::Cond;
  const bool equality = insn.cond == Cond::eq || insn.cond == Cond::ne;
  if (insn.width == bpf::Width::w64 && equality && is_pointer(fact(insn.dst).kind)) {
    const int32_t* imm = std::get_if<int32_t>(&insn.src);
    const Reg* reg = std::get_if<Reg>(&insn.src);
    const auto predicate = insn.cond == Cond::eq ? llvm::CmpInst::ICMP_EQ : llvm::CmpInst::ICMP_NE;
    if (imm != nullptr && *imm == 0)
      return b_.CreateICmp(predicate, get_ptr(insn.dst),
                           llvm::ConstantPointerNull::get(b_.getPtrTy()));
    if (reg != nullptr && is_pointer(fact(*reg).kind))
      return b_.CreateICmp(predicate, get_ptr(insn.dst), get_ptr(*reg));
  }
  const uint32_t bits = insn.width == bpf::Width::w64 ? 64 : 32;
  llvm::Value* left = narrow(get_int(insn.dst), bits);
  llvm::Value* right = operand(insn.src, bits);
  switch (insn.cond) {
  case Cond::eq: return b_.CreateICmpEQ(left, right);
  case Cond::ne: return b_.CreateICmpNE(left, right);
  case Cond::ugt: return b_.CreateICmpUGT(left, right);
  case Cond::uge: return b_.CreateICmpUGE(left, right);
  case Cond::ult: return b_.CreateICmpULT(left, right);
  case Cond::ule: return b_.CreateICmpULE(left, right);
  case Cond::sgt: return b_.CreateICmpSGT(left, right);
  case Cond::sge: return b_.CreateICmpSGE(left, right);
  case Cond::slt: return b_.CreateICmpSLT(left, right);
  case Cond::sle: return b_.CreateICmpSLE(left, right);
  case Cond::set:
    return b_.CreateICmpNE(b_.CreateAnd(left, right), llvm::ConstantInt::get(int_type(bits), 0));
  }
  __builtin_unreachable();
}

Status FunctionLowering::lower(const bpf::Branch& insn) {
  llvm::BasicBlock* taken = block_at(program_.program().at(at_).target);
  llvm::BasicBlock* next = block_at(at_.next());
  if (!insn_facts().branch_not_taken)
    b_.CreateBr(taken);
  else if (!insn_facts().branch_taken)
    b_.CreateBr(next);
  else if (!lower_switch(insn))
    b_.CreateCondBr(compare(insn), taken, next);
  return {};
}

Status FunctionLowering::lower(const bpf::MayGoto&) {
  llvm::Value* left = b_.CreateLoad(b_.getInt64Ty(), may_goto_);
  llvm::Value* is_spent = b_.CreateICmpEQ(left, b_.getInt64(0));
  b_.CreateStore(b_.CreateSub(left, b_.CreateZExt(b_.CreateNot(is_spent), b_.getInt64Ty())),
                 may_goto_);
  b_.CreateCondBr(is_spent, block_at(program_.program().at(at_).target), block_at(at_.next()));
  return {};
}

Status FunctionLowering::lower(const bpf::Exit&) {
  const Reg r0{0};
  b_.CreateRet(function_->getReturnType()->isPointerTy() ? get_ptr(r0) : get_int(r0));
  return {};
}

Status FunctionLowering::lower(const bpf::LoadImm64& insn) {
  switch (insn.kind) {
  case bpf::Imm64Kind::imm: set_int(insn.dst, b_.getInt64(insn.imm)); return {};
  case bpf::Imm64Kind::map:
    set_ptr(insn.dst, program_.module.map_desc(bpf::MapId(insn.imm & UINT32_MAX)));
    return {};
  case bpf::Imm64Kind::map_value:
    set_ptr(insn.dst,
            b_.CreateConstGEP1_64(b_.getInt8Ty(),
                                  program_.module.map_data(b_, bpf::MapId(insn.imm & UINT32_MAX)),
                                  insn.imm >> 32));
    return {};
  case bpf::Imm64Kind::func:
    set_ptr(insn.dst, program_.callback(bpf::FuncId(insn.imm & UINT32_MAX)));
    return {};
  case bpf::Imm64Kind::ksym:
  case bpf::Imm64Kind::map_index:
  case bpf::Imm64Kind::map_index_value: break;
  }
  return unsupported("addresses of kernel symbols");
}

} // namespace bpfaot::aotc
