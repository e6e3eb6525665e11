// SPDX-License-Identifier: MIT
//
// Arithmetic. RFC 9669 section 4; every case that LLVM leaves undefined is written out.
#include "aotc/function_lowering.h"

#include <llvm/IR/Intrinsics.h>

namespace bpfaot::aotc {

using bpf::AluOp;
using bpf::Reg;

namespace {

uint32_t bits_of(bpf::Width width) {
  return width == bpf::Width::w64 ? 64 : 32;
}

} // namespace

// Arithmetic whose result is a pointer keeps its provenance. No inbounds: a program may compute an
// address outside its object as long as it does not use it.
bool FunctionLowering::lower_pointer_alu(const bpf::Alu& insn) {
  if (insn.width != bpf::Width::w64)
    return false;
  const Reg* src = std::get_if<Reg>(&insn.src);
  if (insn.op == AluOp::mov && src != nullptr) {
    llvm::Value* as_int = get_int(*src);
    llvm::Value* as_ptr = get_ptr(*src);
    b_.CreateStore(as_int, ints_[insn.dst.number]);
    b_.CreateStore(as_ptr, ptrs_[insn.dst.number]);
    return true;
  }
  const bool dst_points = is_pointer(fact(insn.dst).kind);
  const bool src_points = src != nullptr && is_pointer(fact(*src).kind);
  if (insn.op == AluOp::add && dst_points != src_points) {
    const bool src_is_number = src == nullptr || fact(*src).kind == verifier::Kind::scalar;
    if (dst_points && src_is_number) {
      set_ptr(insn.dst, b_.CreateGEP(b_.getInt8Ty(), get_ptr(insn.dst), operand(insn.src, 64)));
      return true;
    }
    if (src_points && fact(insn.dst).kind == verifier::Kind::scalar) {
      set_ptr(insn.dst, b_.CreateGEP(b_.getInt8Ty(), get_ptr(*src), get_int(insn.dst)));
      return true;
    }
  }
  if (insn.op == AluOp::sub && dst_points &&
      (src == nullptr || fact(*src).kind == verifier::Kind::scalar)) {
    set_ptr(insn.dst,
            b_.CreateGEP(b_.getInt8Ty(), get_ptr(insn.dst), b_.CreateNeg(operand(insn.src, 64))));
    return true;
  }
  return false;
}

bool FunctionLowering::divisor_is_proven(const bpf::Alu& insn) const {
  if (const int32_t* imm = std::get_if<int32_t>(&insn.src))
    return *imm != 0;
  const verifier::RegFact& divisor = fact(std::get<Reg>(insn.src));
  if (divisor.kind != verifier::Kind::scalar)
    return false;
  return insn.width == bpf::Width::w64 ? divisor.range.umin > 0 : divisor.range.u32_min > 0;
}

// x / 0 is 0 and x % 0 is x. LLVM's division by zero is undefined even when its result is not used,
// so the divisor is made safe before.
llvm::Value* FunctionLowering::divide(const bpf::Alu& insn, llvm::Value* dst, llvm::Value* src) {
  const bool remainder = insn.op == AluOp::mod || insn.op == AluOp::smod;
  if (insn.op == AluOp::sdiv || insn.op == AluOp::smod)
    return divide_signed(remainder, dst, src);
  if (divisor_is_proven(insn))
    return remainder ? b_.CreateURem(dst, src) : b_.CreateUDiv(dst, src);
  llvm::Constant* zero = llvm::ConstantInt::get(dst->getType(), 0);
  llvm::Value* is_zero = b_.CreateICmpEQ(src, zero);
  llvm::Value* safe = b_.CreateSelect(is_zero, llvm::ConstantInt::get(dst->getType(), 1), src);
  if (remainder)
    return b_.CreateSelect(is_zero, dst, b_.CreateURem(dst, safe));
  return b_.CreateSelect(is_zero, zero, b_.CreateUDiv(dst, safe));
}

// Also INT_MIN / -1 is INT_MIN and INT_MIN % -1 is 0; both fall out of treating -1 as negation.
llvm::Value* FunctionLowering::divide_signed(bool remainder, llvm::Value* dst, llvm::Value* src) {
  llvm::Constant* zero = llvm::ConstantInt::get(dst->getType(), 0);
  llvm::Value* is_zero = b_.CreateICmpEQ(src, zero);
  llvm::Value* is_minus_one =
      b_.CreateICmpEQ(src, llvm::ConstantInt::getSigned(dst->getType(), -1));
  llvm::Value* safe = b_.CreateSelect(b_.CreateOr(is_zero, is_minus_one),
                                      llvm::ConstantInt::get(dst->getType(), 1), src);
  llvm::Value* result = remainder ? b_.CreateSRem(dst, safe) : b_.CreateSDiv(dst, safe);
  result = b_.CreateSelect(is_minus_one, remainder ? zero : b_.CreateNeg(dst), result);
  return b_.CreateSelect(is_zero, remainder ? dst : zero, result);
}

Status FunctionLowering::lower(const bpf::Alu& insn) {
  if (lower_pointer_alu(insn))
    return {};
  const uint32_t bits = bits_of(insn.width);
  llvm::Value* src = operand(insn.src, bits);
  if (insn.op == AluOp::mov) {
    set_int(insn.dst, src);
    return {};
  }
  llvm::Value* dst = narrow(get_int(insn.dst), bits);
  llvm::Value* amount = b_.CreateAnd(src, llvm::ConstantInt::get(src->getType(), bits - 1));
  switch (insn.op) {
  case AluOp::add: dst = b_.CreateAdd(dst, src); break;
  case AluOp::sub: dst = b_.CreateSub(dst, src); break;
  case AluOp::mul: dst = b_.CreateMul(dst, src); break;
  case AluOp::div:
  case AluOp::sdiv:
  case AluOp::mod:
  case AluOp::smod: dst = divide(insn, dst, src); break;
  case AluOp::bit_or: dst = b_.CreateOr(dst, src); break;
  case AluOp::bit_and: dst = b_.CreateAnd(dst, src); break;
  case AluOp::bit_xor: dst = b_.CreateXor(dst, src); break;
  case AluOp::lsh: dst = b_.CreateShl(dst, amount); break;
  case AluOp::rsh: dst = b_.CreateLShr(dst, amount); break;
  case AluOp::arsh: dst = b_.CreateAShr(dst, amount); break;
  case AluOp::mov: break;
  }
  set_int(insn.dst, dst);
  return {};
}

Status FunctionLowering::lower(const bpf::Neg& insn) {
  set_int(insn.dst, b_.CreateNeg(narrow(get_int(insn.dst), bits_of(insn.width))));
  return {};
}

Status FunctionLowering::lower(const bpf::MovSx& insn) {
  set_int(insn.dst,
          b_.CreateSExt(narrow(get_int(insn.src), insn.bits), int_type(bits_of(insn.width))));
  return {};
}

// All machines here are little-endian: to_le only cuts off what is above.
Status FunctionLowering::lower(const bpf::ByteSwap& insn) {
  llvm::Value* value = narrow(get_int(insn.dst), insn.bits);
  if (insn.kind != bpf::SwapKind::to_le)
    value = b_.CreateUnaryIntrinsic(llvm::Intrinsic::bswap, value);
  set_int(insn.dst, value);
  return {};
}

} // namespace bpfaot::aotc
