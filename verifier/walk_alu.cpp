// SPDX-License-Identifier: MIT
//
// Arithmetic. On numbers it is the domain's business; on pointers only 64-bit addition and
// subtraction of a bounded number keep a pointer, with the kernel's limits, because programs were
// written against them. Pointer minus pointer is a number; a pointer cut to 32 bits is a number.
#include "bpf/object.h"
#include "verifier/walker.h"

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr int64_t kMaxOffset = 1 << 29; // beyond it no object can be

bool is_shift(AluOp op) {
  return op == AluOp::lsh || op == AluOp::rsh || op == AluOp::arsh;
}
bool is_division(AluOp op) {
  return op == AluOp::div || op == AluOp::sdiv || op == AluOp::mod || op == AluOp::smod;
}

} // namespace

Status Walker::check_immediate(const Alu& insn) {
  const auto* imm = std::get_if<int32_t>(&insn.src);
  if (imm == nullptr)
    return {};
  if (is_division(insn.op) && *imm == 0)
    return error(Code::kDivByZeroImm, "division by the constant zero");
  const int32_t width = insn.width == Width::w64 ? 64 : 32;
  if (is_shift(insn.op) && (*imm < 0 || *imm >= width))
    return error(Code::kShiftImm, "shift by a constant that is not below the width",
                 "a shift by " + std::to_string(*imm), "0 to " + std::to_string(width - 1));
  return {};
}

Status Walker::on(const Alu& insn) {
  TRY(require_writable(insn.dst));
  const RegState src = TRY(operand(insn.src));
  TRY(check_immediate(insn));
  if (insn.op == AluOp::mov) {
    move(insn, src);
    return {};
  }
  TRY(require_written(insn.dst));
  if (state_.reg(insn.dst).is_pointer() || src.is_pointer())
    return pointer_alu(insn, src);
  scalar_alu(insn, src);
  return {};
}

void Walker::move(const Alu& insn, const RegState& src) {
  const bool wide = insn.width == Width::w64;
  if (src.is_pointer()) {
    if (wide)
      return assign(insn.dst, src);
    forget_number(src);
    return assign(insn.dst, RegState::scalar(Scalar::loaded(32, false)));
  }
  RegState result = src;
  result.released = src.released && wide;
  const bool same_number = wide || src.value.umax <= UINT32_MAX;
  if (!same_number) {
    result = RegState::scalar(alu(AluOp::mov, false, src.value, src.value));
  } else if (const auto* from = std::get_if<Reg>(&insn.src); from != nullptr) {
    // Both registers hold one number from now on: what is learnt of one holds for the other.
    if (result.id == 0 && !result.value.is_constant()) {
      result.id = new_id();
      result.delta = 0;
      RegState& original = state_.reg(*from);
      original.id = result.id;
      original.delta = 0;
    }
  } else if (!wide) {
    result = RegState::scalar(alu(AluOp::mov, false, src.value, src.value));
  }
  assign(insn.dst, result);
}

void Walker::scalar_alu(const Alu& insn, const RegState& src) {
  const RegState dst = state_.reg(insn.dst);
  const bool wide = insn.width == Width::w64;
  const auto* from = std::get_if<Reg>(&insn.src);
  if (from != nullptr && *from == insn.dst && (insn.op == AluOp::sub || insn.op == AluOp::bit_xor))
    return assign(insn.dst, RegState::constant(0));
  RegState result = RegState::scalar(alu(insn.op, wide, dst.value, src.value));
  // The instruction set masks a count that is too large, so more could be said here. The kernel
  // says nothing of such a shift, and programs must not come to depend on it.
  if (is_shift(insn.op) && (wide ? src.value.umax > 63 : src.value.u32_max > 31))
    result = RegState::scalar(wide ? Scalar{} : Scalar::loaded(32, false));
  const bool adds_constant =
      wide && src.value.is_constant() && (from == nullptr || *from != insn.dst);
  if (adds_constant && dst.id != 0 && (insn.op == AluOp::add || insn.op == AluOp::sub)) {
    result.id = dst.id;
    result.delta = insn.op == AluOp::add ? dst.delta + src.value.umin : dst.delta - src.value.umin;
  }
  assign(insn.dst, std::move(result));
}

Status Walker::pointer_alu(const Alu& insn, const RegState& src) {
  const RegState dst = state_.reg(insn.dst);
  const bool is_sub = insn.op == AluOp::sub;
  const auto unknown = [&] {
    forget_number(dst);
    forget_number(src);
    assign(insn.dst,
           RegState::scalar(insn.width == Width::w64 ? Scalar{} : Scalar::loaded(32, false)));
    return Status{};
  };
  if (insn.width == Width::w32) {
    if (is_sub)
      return unknown();
    return error(Code::kPtrArith, "32-bit arithmetic on a pointer",
                 name(insn.dst) + " is " + describe(dst), "64-bit addition or subtraction");
  }
  if (dst.is_pointer() && src.is_pointer()) {
    if (is_sub)
      return unknown();
    return error(Code::kPtrArith, "two pointers can only be subtracted",
                 name(insn.dst) + " is " + describe(dst) + ", the other operand is " +
                     describe(src),
                 "a number");
  }
  if (insn.op != AluOp::add && (!is_sub || src.is_pointer()))
    return error(Code::kPtrArith, "this arithmetic is not possible on a pointer",
                 dst.is_pointer() ? name(insn.dst) + " is " + describe(dst)
                                  : "the source is " + describe(src),
                 "addition or subtraction of a number");
  if (src.is_pointer())
    return move_pointer(insn, src, dst.value);
  return move_pointer(insn, dst, src.value);
}

Status Walker::move_pointer(const Alu& insn, const RegState& pointer, const Scalar& amount) {
  const bool is_sub = insn.op == AluOp::sub;
  const std::string found = "the pointer is " + describe(pointer);
  if (pointer.maybe_null)
    return error(Code::kNullDeref, "arithmetic on a pointer that may be null", found,
                 "a comparison with null before it");
  const bool by_zero = amount.is_constant() && amount.umin == 0;
  if ((pointer.type == Type::map_handle || pointer.type == Type::function ||
       pointer.type == Type::dynptr ||
       pointer.type == Type::packet_end) &&
      !by_zero)
    return error(Code::kPtrArith, "arithmetic on something that is not memory", found,
                 "a pointer to memory");
  if (pointer.type == Type::stack && is_sub)
    return error(Code::kPtrArith, "subtraction from a stack pointer", found,
                 "addition of a negative number");
  const auto too_far = [](const Scalar& v) {
    return v.smin <= -kMaxOffset || v.smin >= kMaxOffset ||
           (v.is_constant() && v.smax >= kMaxOffset);
  };
  if (too_far(amount))
    return error(Code::kPtrArith, "a pointer is moved by a number without a usable bound",
                 verifier::describe(amount), "a number above -2^29 and below 2^29");
  RegState result = pointer;
  result.value = alu(insn.op, true, pointer.value, amount);
  if (too_far(result.value))
    return error(Code::kPtrArith, "a pointer is moved too far from its object", describe(result),
                 "an offset above -2^29 and below 2^29");
  if (pointer.is_packet())
    move_in_packet(result, amount, is_sub);
  assign(insn.dst, std::move(result));
  return {};
}

Status Walker::on(const Neg& insn) {
  TRY(require_writable(insn.dst));
  TRY(require_written(insn.dst));
  const RegState& dst = state_.reg(insn.dst);
  const bool wide = insn.width == Width::w64;
  forget_number(dst);
  assign(insn.dst, RegState::scalar(dst.is_pointer() ? (wide ? Scalar{} : Scalar::loaded(32, false))
                                                     : negate(wide, dst.value)));
  return {};
}

Status Walker::on(const MovSx& insn) {
  TRY(require_writable(insn.dst));
  TRY(require_written(insn.src));
  const RegState src = state_.reg(insn.src);
  const bool wide = insn.width == Width::w64;
  forget_number(src);
  const Scalar from = src.is_pointer() ? Scalar{} : src.value;
  RegState result = RegState::scalar(sign_extend(insn.bits, wide, from));
  // A number that already fits is unchanged, so it stays in its group.
  const int64_t limit = int64_t{1} << (insn.bits - 1);
  if (src.is_scalar() && wide && from.smin >= -limit && from.smax < limit && !from.is_constant()) {
    if (src.id == 0) {
      state_.reg(insn.src).id = new_id();
      state_.reg(insn.src).delta = 0;
    }
    result.id = state_.reg(insn.src).id;
    result.delta = state_.reg(insn.src).delta;
  }
  assign(insn.dst, std::move(result));
  return {};
}

Status Walker::on(const ByteSwap& insn) {
  TRY(require_writable(insn.dst));
  TRY(require_written(insn.dst));
  const RegState& dst = state_.reg(insn.dst);
  forget_number(dst);
  const Scalar from = dst.is_pointer() ? Scalar{} : dst.value;
  // Programs run on little-endian machines only, so to_le just cuts.
  const Scalar to =
      insn.kind == SwapKind::to_le ? zero_extend(insn.bits, from) : byte_swap(insn.bits, from);
  assign(insn.dst, RegState::scalar(to));
  return {};
}

Status Walker::on(const LoadImm64& insn) {
  TRY(require_writable(insn.dst));
  const auto low = static_cast<uint32_t>(insn.imm);
  const auto high = static_cast<uint32_t>(insn.imm >> 32);
  switch (insn.kind) {
  case Imm64Kind::imm: assign(insn.dst, RegState::constant(insn.imm)); return {};
  case Imm64Kind::map:
  case Imm64Kind::map_value: {
    if (program_.object == nullptr || low >= program_.object->maps.size())
      return error(Code::kInternal, "a map reference without a map");
    const bool is_value = insn.kind == Imm64Kind::map_value;
    RegState pointer = RegState::pointer(is_value ? Type::map_value : Type::map_handle, low);
    if (is_value) {
      if (high >= map(low).value_size)
        return error(Code::kMapValueOob, "the address lies outside the data section",
                     "offset " + std::to_string(high),
                     "below " + std::to_string(map(low).value_size));
      pointer.value = Scalar::constant(high);
    }
    assign(insn.dst, std::move(pointer));
    return {};
  }
  case Imm64Kind::func:
    if (low >= program_.functions.size())
      return error(Code::kInternal, "a function reference without a function");
    assign(insn.dst, RegState::pointer(Type::function, low));
    return {};
  case Imm64Kind::ksym:
  case Imm64Kind::map_index:
  case Imm64Kind::map_index_value: break;
  }
  return error(Code::kUnsupportedKsym, "addresses of kernel symbols are not supported");
}

} // namespace bpfaot::verifier
