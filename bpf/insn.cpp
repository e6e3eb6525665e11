// SPDX-License-Identifier: MIT
//
// Decoding and encoding, both driven by insn.def. Each row of the table is one encoding: what the
// four fields of a slot must hold, and which instruction they then are. An encoding that matches no
// row is refused, so a reserved field can never be ignored.
#include "bpf/insn.h"

#include "support/hex.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdio>
#include <optional>

namespace bpfaot::bpf {
namespace {

// RawInsn's bit-fields have the file's layout on little-endian hosts only.
static_assert(std::endian::native == std::endian::little);

enum class Form : uint8_t {
  alu,   // a = AluOp, b = 32 or 64, c = source is a register
  neg,   // a = 32 or 64
  movsx, // a = 32 or 64, b = bits
  addr_space_cast,
  byte_swap, // a = SwapKind, b = bits
  load,      // a = bytes, b = sign-extends
  store,     // a = bytes, b = source is a register
  atomic,    // a = bytes, b = AtomicOp, c = fetches
  load_acquire,
  store_release, // a = bytes
  legacy_load,   // a = bytes, b = indirect
  load_imm64,    // a = Imm64Kind, c = the high word may be non-zero
  jump,          // a = long
  branch,        // a = Cond, b = 32 or 64, c = source is a register
  may_goto,
  call_helper,
  call_local,
  call_kfunc,
  call_indirect,
  exit,
};

struct Field {
  bool is_operand;
  int32_t value; // when it is no operand
  constexpr bool accepts(int32_t found) const { return is_operand || found == value; }
};
constexpr Field any{true, 0};
constexpr Field zero{false, 0};
constexpr Field is(int32_t value) {
  return {false, value};
}

struct Row {
  uint8_t opcode;
  Field dst, src, off, imm;
  Form form;
  uint8_t a, b, c;
};

consteval auto make_rows() {
  using enum AluOp;
  using enum Imm64Kind;
  using enum SwapKind;
  return std::to_array<Row>({
#define BPFAOT_ALU(nibble, off, op)                                                                \
  {nibble | 0x04, any, zero, is(off), any, Form::alu, uint8_t(AluOp::op), 32, 0},                  \
      {nibble | 0x0c, any, any, is(off), zero, Form::alu, uint8_t(AluOp::op), 32, 1},              \
      {nibble | 0x07, any, zero, is(off), any, Form::alu, uint8_t(AluOp::op), 64, 0},              \
      {nibble | 0x0f, any, any, is(off), zero, Form::alu, uint8_t(AluOp::op), 64, 1},
#define BPFAOT_JUMP(nibble, cond)                                                                  \
  {nibble | 0x05, any, zero, any, any, Form::branch, uint8_t(Cond::cond), 64, 0},                  \
      {nibble | 0x0d, any, any, any, zero, Form::branch, uint8_t(Cond::cond), 64, 1},              \
      {nibble | 0x06, any, zero, any, any, Form::branch, uint8_t(Cond::cond), 32, 0},              \
      {nibble | 0x0e, any, any, any, zero, Form::branch, uint8_t(Cond::cond), 32, 1},
#define BPFAOT_ATOMIC(imm, op, fetch)                                                              \
  {0xc3, any, any, any, is(imm), Form::atomic, 4, uint8_t(AtomicOp::op), fetch},                   \
      {0xdb, any, any, any, is(imm), Form::atomic, 8, uint8_t(AtomicOp::op), fetch},
#define BPFAOT_SIZED(opcode, size, dst, src, off, imm, form, b)                                    \
  {opcode, dst, src, off, imm, Form::form, size, b, 0},
#define BPFAOT_INSN(opcode, dst, src, off, imm, form, a, b, c)                                     \
  {opcode, dst, src, off, imm, Form::form, uint8_t(a), b, c},
#include "bpf/insn.def"
#undef BPFAOT_ALU
#undef BPFAOT_JUMP
#undef BPFAOT_ATOMIC
#undef BPFAOT_SIZED
#undef BPFAOT_INSN
  });
}

constexpr auto kRows = [] {
  auto rows = make_rows();
  std::sort(rows.begin(), rows.end(),
            [](const Row& x, const Row& y) { return x.opcode < y.opcode; });
  return rows;
}();

// kFirst[opcode] .. kFirst[opcode + 1] are the rows of an opcode.
constexpr auto kFirst = [] {
  std::array<uint16_t, 257> first{};
  for (size_t opcode = 0, row = 0; opcode <= 256; ++opcode) {
    while (row < kRows.size() && kRows[row].opcode < opcode)
      ++row;
    first[opcode] = static_cast<uint16_t>(row);
  }
  return first;
}();

struct Mismatch {
  int count = 0;
  const char* field = nullptr;
  int32_t found = 0, needed = 0;
};

Mismatch compare(const Row& row, const RawInsn& raw) {
  Mismatch result;
  const auto look = [&](const Field& field, int32_t found, const char* name) {
    if (field.accepts(found))
      return;
    if (result.count++ == 0) {
      result.field = name;
      result.found = found;
      result.needed = field.value;
    }
  };
  look(row.off, raw.off, "off");
  look(row.imm, raw.imm, "imm");
  look(row.src, raw.src, "src");
  look(row.dst, raw.dst, "dst");
  return result;
}

// The row of this slot, or which field of the nearest one does not fit.
Result<const Row*> find_row(const RawInsn& raw) {
  const size_t begin = kFirst[raw.opcode], end = kFirst[raw.opcode + 1u];
  if (begin == end)
    return Failure(make_error(Code::kInsnOpcode, "unknown opcode " + hex(raw.opcode))
                       .values(hex(raw.opcode), "an opcode of the instruction set"));
  Mismatch nearest{.count = 5};
  for (size_t i = begin; i < end; ++i) {
    const Mismatch mismatch = compare(kRows[i], raw);
    if (mismatch.count == 0)
      return &kRows[i];
    if (mismatch.count < nearest.count)
      nearest = mismatch;
  }
  return Failure(make_error(Code::kInsnReserved, "opcode " + hex(raw.opcode) + " with " +
                                                     nearest.field + " " +
                                                     std::to_string(nearest.found))
                     .values(std::to_string(nearest.found), std::to_string(nearest.needed)));
}

Operand operand(bool is_register, const RawInsn& raw) {
  return is_register ? Operand(Reg{raw.src}) : Operand(raw.imm);
}

Width width(uint8_t bits) {
  return bits == 32 ? Width::w32 : Width::w64;
}

Insn build(const Row& row, const RawInsn& raw, uint32_t high) {
  const Reg dst{raw.dst}, src{raw.src};
  switch (row.form) {
  case Form::alu: return Alu{AluOp(row.a), width(row.b), dst, operand(row.c, raw)};
  case Form::neg: return Neg{width(row.a), dst};
  case Form::movsx: return MovSx{width(row.a), row.b, dst, src};
  case Form::addr_space_cast:
    return AddrSpaceCast{dst, src, uint16_t(uint32_t(raw.imm) >> 16), uint16_t(raw.imm)};
  case Form::byte_swap: return ByteSwap{SwapKind(row.a), row.b, dst};
  case Form::load: return Load{Size(row.a), row.b != 0, dst, src, raw.off};
  case Form::store: return Store{Size(row.a), dst, raw.off, operand(row.b, raw)};
  case Form::atomic: return Atomic{AtomicOp(row.b), Size(row.a), row.c != 0, dst, src, raw.off};
  case Form::load_acquire: return LoadAcquire{Size(row.a), dst, src, raw.off};
  case Form::store_release: return StoreRelease{Size(row.a), dst, src, raw.off};
  case Form::legacy_load: return LegacyPacketLoad{Size(row.a), row.b != 0, src, raw.imm};
  case Form::load_imm64:
    return LoadImm64{Imm64Kind(row.a), dst, uint64_t{high} << 32 | uint32_t(raw.imm)};
  case Form::jump: return Jump{row.a != 0, row.a != 0 ? raw.imm : int32_t{raw.off}};
  case Form::branch: return Branch{Cond(row.a), width(row.b), dst, operand(row.c, raw), raw.off};
  case Form::may_goto: return MayGoto{raw.off};
  case Form::call_helper: return CallHelper{raw.imm};
  case Form::call_local: return CallLocal{raw.imm};
  case Form::call_kfunc: return CallKfunc{raw.imm, raw.off};
  case Form::call_indirect: return CallIndirect{dst};
  case Form::exit: return Exit{};
  }
  return Exit{};
}

// What encode() needs: the row's key and the operand fields.
struct Shape {
  Form form;
  uint8_t a = 0, b = 0, c = 0;
  uint8_t dst = 0, src = 0;
  int16_t off = 0;
  int32_t imm = 0;
  uint32_t high = 0;
};

uint8_t bits(Width width) {
  return width == Width::w32 ? 32 : 64;
}
uint8_t size_of(Size size) {
  return static_cast<uint8_t>(size);
}

// Puts a register or an immediate where it belongs; returns whether it is a register.
uint8_t place(const Operand& operand, Shape& shape) {
  if (const Reg* reg = std::get_if<Reg>(&operand)) {
    shape.src = reg->number;
    return 1;
  }
  shape.imm = std::get<int32_t>(operand);
  return 0;
}

Shape shape_of(const Insn& insn) {
  return std::visit(
      overloaded{
          [](const Alu& i) {
            Shape s{Form::alu, uint8_t(i.op), bits(i.width), 0, i.dst.number};
            s.c = place(i.src, s);
            return s;
          },
          [](const Neg& i) { return Shape{Form::neg, bits(i.width), 0, 0, i.dst.number}; },
          [](const MovSx& i) {
            return Shape{Form::movsx, bits(i.width), i.bits, 0, i.dst.number, i.src.number};
          },
          [](const ByteSwap& i) {
            return Shape{Form::byte_swap, uint8_t(i.kind), i.bits, 0, i.dst.number};
          },
          [](const AddrSpaceCast& i) {
            return Shape{Form::addr_space_cast,
                         0,
                         0,
                         0,
                         i.dst.number,
                         i.src.number,
                         0,
                         int32_t(uint32_t{i.to} << 16 | i.from)};
          },
          [](const LoadImm64& i) {
            return Shape{Form::load_imm64,     uint8_t(i.kind), 0, 0,
                         i.dst.number,         uint8_t(i.kind), 0, int32_t(uint32_t(i.imm)),
                         uint32_t(i.imm >> 32)};
          },
          [](const Load& i) {
            return Shape{Form::load,   size_of(i.size), i.sign_extend, 0,
                         i.dst.number, i.base.number,   i.off};
          },
          [](const Store& i) {
            Shape s{Form::store, size_of(i.size), 0, 0, i.base.number, 0, i.off};
            s.b = place(i.src, s);
            return s;
          },
          [](const Atomic& i) {
            return Shape{Form::atomic,  size_of(i.size), uint8_t(i.op), i.fetch,
                         i.base.number, i.src.number,    i.off};
          },
          [](const LoadAcquire& i) {
            return Shape{Form::load_acquire, size_of(i.size), 0,    0,
                         i.dst.number,       i.base.number,   i.off};
          },
          [](const StoreRelease& i) {
            return Shape{Form::store_release, size_of(i.size), 0,    0,
                         i.base.number,       i.src.number,    i.off};
          },
          [](const LegacyPacketLoad& i) {
            return Shape{
                Form::legacy_load, size_of(i.size), i.indirect, 0, 0, i.src.number, 0, i.imm};
          },
          [](const Jump& i) {
            return i.is_long ? Shape{Form::jump, 1, 0, 0, 0, 0, 0, i.off}
                             : Shape{Form::jump, 0, 0, 0, 0, 0, static_cast<int16_t>(i.off)};
          },
          [](const Branch& i) {
            Shape s{Form::branch, uint8_t(i.cond), bits(i.width), 0, i.dst.number, 0, i.off};
            s.c = place(i.src, s);
            return s;
          },
          [](const MayGoto& i) { return Shape{Form::may_goto, 0, 0, 0, 0, 0, i.off}; },
          [](const CallHelper& i) { return Shape{Form::call_helper, 0, 0, 0, 0, 0, 0, i.id}; },
          [](const CallLocal& i) { return Shape{Form::call_local, 0, 0, 0, 0, 1, 0, i.off}; },
          [](const CallKfunc& i) {
            return Shape{Form::call_kfunc, 0, 0, 0, 0, 2, i.module, i.btf_id};
          },
          [](const CallIndirect& i) {
            return Shape{Form::call_indirect, 0, 0, 0, i.target.number};
          },
          [](const Exit&) { return Shape{Form::exit}; },
      },
      insn);
}

// Opcode and the fixed fields of a row, operands of the instruction. Nothing when no encoding has
// these values (a sign-extending 8-byte load, a register 12, a short jump of 40000 slots).
std::optional<RawInsn> raw_of(const Shape& shape) {
  for (const Row& row : kRows) {
    const bool high_matters = row.form == Form::load_imm64;
    if (row.form != shape.form || row.a != shape.a || row.b != shape.b ||
        (!high_matters && row.c != shape.c))
      continue;
    if (high_matters && row.c == 0 && shape.high != 0)
      continue;
    RawInsn raw{row.opcode, shape.dst, shape.src,
                row.off.is_operand ? shape.off : static_cast<int16_t>(row.off.value),
                row.imm.is_operand ? shape.imm : row.imm.value};
    if (shape.dst > 10 || shape.src > 10 || !row.dst.accepts(shape.dst) ||
        !row.src.accepts(shape.src))
      continue;
    return raw;
  }
  return std::nullopt;
}

} // namespace

Result<Insn> decode(std::span<const RawInsn> slots) {
  if (slots.empty())
    return fail(Code::kInsnTruncated, "no instruction here");
  const RawInsn& raw = slots[0];
  const Row* row = TRY(find_row(raw));
  const bool src_is_register = row->src.is_operand;
  if (raw.dst > 10 || (src_is_register && raw.src > 10))
    return Failure(
        make_error(Code::kInsnRegister,
                   "opcode " + hex(raw.opcode) + " names a register that does not exist")
            .values("r" + std::to_string(raw.dst > 10 ? raw.dst : raw.src), "r0 to r10"));
  uint32_t high = 0;
  if (row->form == Form::load_imm64) {
    if (slots.size() < 2)
      return fail(Code::kInsnTruncated, "the second half of a 64-bit immediate load is missing");
    const RawInsn& second = slots[1];
    if (second.opcode != 0 || second.dst != 0 || second.src != 0 || second.off != 0 ||
        (row->c == 0 && second.imm != 0))
      return fail(Code::kInsnReserved,
                  "a reserved field is set in the second half of a 64-bit immediate load");
    high = static_cast<uint32_t>(second.imm);
  }
  return build(*row, raw, high);
}

bool is_encodable(const Insn& insn) {
  if (const Jump* jump = std::get_if<Jump>(&insn);
      jump != nullptr && !jump->is_long && jump->off != static_cast<int16_t>(jump->off))
    return false;
  return raw_of(shape_of(insn)).has_value();
}

void encode(const Insn& insn, std::vector<RawInsn>& out) {
  const Shape shape = shape_of(insn);
  const std::optional<RawInsn> raw = raw_of(shape);
  assert(raw.has_value() && is_encodable(insn));
  out.push_back(raw.value_or(RawInsn{}));
  if (shape.form == Form::load_imm64)
    out.push_back(RawInsn{0, 0, 0, 0, static_cast<int32_t>(shape.high)});
}

} // namespace bpfaot::bpf
