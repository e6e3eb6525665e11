// SPDX-License-Identifier: MIT
//
// One eBPF instruction as a variant of small aggregates. No analysis data, no strings: what an
// instruction is, as RFC 9669 and the kernel's uapi header define it. Offsets of branches and
// local calls are relative to the next slot, as encoded; bpf/program.h holds resolved targets.
//
// Properties tested: encode(decode(x)) == x, parse(print(i)) == i.
#pragma once

#include "support/result.h"
#include "support/strong_index.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bpfaot::bpf {

using InsnIndex = StrongIndex<struct InsnTag>; // instructions; lddw counts once
using SlotIndex = StrongIndex<struct SlotTag>; // 8-byte slots; lddw counts twice; users see these
using MapId = StrongIndex<struct MapTag>;      // position in Object::maps
using FuncId = StrongIndex<struct FuncTag>;    // position in Program::functions

struct Reg {
  uint8_t number = 0; // 0..10
  bool operator==(const Reg&) const = default;
};
inline constexpr Reg kFramePointer{10};

enum class Width : uint8_t { w32, w64 };
enum class Size : uint8_t { b1 = 1, b2 = 2, b4 = 4, b8 = 8 };
constexpr uint32_t bytes(Size size) { return static_cast<uint32_t>(size); }

using Operand = std::variant<Reg, int32_t>; // an immediate is sign-extended to 64 bits

enum class AluOp : uint8_t { add, sub, mul, div, sdiv, mod, smod, bit_or, bit_and, bit_xor, lsh, rsh, arsh, mov };
struct Alu { AluOp op; Width width; Reg dst; Operand src; bool operator==(const Alu&) const = default; };
struct Neg { Width width; Reg dst; bool operator==(const Neg&) const = default; };
struct MovSx { Width width; uint8_t bits; Reg dst, src; bool operator==(const MovSx&) const = default; }; // 8, 16, 32
enum class SwapKind : uint8_t { to_le, to_be, always };
struct ByteSwap { SwapKind kind; uint8_t bits; Reg dst; bool operator==(const ByteSwap&) const = default; };
struct AddrSpaceCast { Reg dst, src; uint16_t to, from; bool operator==(const AddrSpaceCast&) const = default; };

// lddw. In a linked Program: map = MapId in the low word; map_value = MapId in the low word and
// byte offset in the high word; func = FuncId in the low word; the *_index kinds do not occur.
enum class Imm64Kind : uint8_t { imm = 0, map = 1, map_value = 2, ksym = 3, func = 4, map_index = 5, map_index_value = 6 };
struct LoadImm64 { Imm64Kind kind; Reg dst; uint64_t imm; bool operator==(const LoadImm64&) const = default; };

struct Load { Size size; bool sign_extend; Reg dst, base; int16_t off; bool operator==(const Load&) const = default; };
struct Store { Size size; Reg base; int16_t off; Operand src; bool operator==(const Store&) const = default; };
enum class AtomicOp : uint8_t { add, bit_or, bit_and, bit_xor, exchange, compare_exchange };
struct Atomic { AtomicOp op; Size size; bool fetch; Reg base, src; int16_t off; bool operator==(const Atomic&) const = default; };
struct LoadAcquire { Size size; Reg dst, base; int16_t off; bool operator==(const LoadAcquire&) const = default; };
struct StoreRelease { Size size; Reg base, src; int16_t off; bool operator==(const StoreRelease&) const = default; };
struct LegacyPacketLoad { Size size; bool indirect; Reg src; int32_t imm; bool operator==(const LegacyPacketLoad&) const = default; };

struct Jump { bool is_long; int32_t off; bool operator==(const Jump&) const = default; }; // ja, gotol
enum class Cond : uint8_t { eq, ne, ugt, uge, ult, ule, sgt, sge, slt, sle, set };
struct Branch { Cond cond; Width width; Reg dst; Operand src; int16_t off; bool operator==(const Branch&) const = default; };
struct MayGoto { int16_t off; bool operator==(const MayGoto&) const = default; };
struct CallHelper { int32_t id; bool operator==(const CallHelper&) const = default; };
struct CallLocal { int32_t off; bool operator==(const CallLocal&) const = default; };
struct CallKfunc { int32_t btf_id; int16_t module; bool operator==(const CallKfunc&) const = default; };
struct CallIndirect { Reg target; bool operator==(const CallIndirect&) const = default; }; // callx
struct Exit { bool operator==(const Exit&) const = default; };

using Insn = std::variant<Alu, Neg, MovSx, ByteSwap, AddrSpaceCast, LoadImm64, Load, Store, Atomic,
                          LoadAcquire, StoreRelease, LegacyPacketLoad, Jump, Branch, MayGoto,
                          CallHelper, CallLocal, CallKfunc, CallIndirect, Exit>;

// The encoded form, little-endian in files. Exists in decode and encode only.
struct RawInsn {
  uint8_t opcode = 0;
  uint8_t dst : 4 = 0;
  uint8_t src : 4 = 0;
  int16_t off = 0;
  int32_t imm = 0;
  bool operator==(const RawInsn&) const = default;
};
static_assert(sizeof(RawInsn) == 8);

constexpr uint32_t slot_count(const Insn& insn) { return std::holds_alternative<LoadImm64>(insn) ? 2 : 1; }

// Decodes the instruction that begins at slots[0]. Reserved fields must be zero ([insn-reserved]),
// registers legal, the second slot of an lddw present. Does not look at what the operands mean.
Result<Insn> decode(std::span<const RawInsn> slots);
// Whether the instruction set has these operands (it has no sign-extending 8-byte load).
bool is_encodable(const Insn& insn);
// Appends one or two slots. The instruction must be encodable.
void encode(const Insn& insn, std::vector<RawInsn>& out);
// The kernel's text form, e.g. "r1 = *(u64 *)(r10 -8)", "if w2 s> 0x4 goto pc+3".
std::string print(const Insn& insn);
// The inverse; decimal and hexadecimal numbers, any spacing, "goto +3" as well. [insn-text]
Result<Insn> parse_insn(std::string_view text);

template <class... Ts> struct overloaded : Ts... { using Ts::operator()...; };
template <class... Ts> overloaded(Ts...) -> overloaded<Ts...>;

} // namespace bpfaot::bpf
