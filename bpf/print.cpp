// SPDX-License-Identifier: MIT
//
// Instructions as text, in the form of the kernel's disassembler (verifier log, bpftool). What the
// kernel prints ambiguously gets its own spelling so that parse.cpp can be the exact inverse:
// references of lddw are "map[id:3]", "map[id:3][0]+8", "ksym[0x…]", "subprog[2]".
#include "bpf/insn_text.h"

#include "bpf/helpers.h"
#include "bpf/insn.h"

#include <cstdarg>
#include <cstdio>

namespace bpfaot::bpf {
namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* form, ...) {
  char text[160];
  va_list arguments;
  va_start(arguments, form);
  std::vsnprintf(text, sizeof text, form, arguments);
  va_end(arguments);
  return text;
}

std::string reg(Reg r, Width width = Width::w64) {
  return (width == Width::w32 ? "w" : "r") + std::to_string(r.number);
}

std::string decimal(const Operand& operand, Width width = Width::w64) {
  if (const Reg* r = std::get_if<Reg>(&operand))
    return reg(*r, width);
  return std::to_string(std::get<int32_t>(operand));
}

std::string hexadecimal(const Operand& operand, Width width) {
  if (const Reg* r = std::get_if<Reg>(&operand))
    return reg(*r, width);
  return format("0x%x", static_cast<uint32_t>(std::get<int32_t>(operand)));
}

unsigned bits(Size size) {
  return bytes(size) * 8;
}

std::string memory(const char* sign, unsigned width, Reg base, int16_t off) {
  return format("*(%s%u *)(r%u %+d)", sign, width, base.number, off);
}

// The operand list of the atomic functions: "(u64 *)(r1 +8)".
std::string pointer(Size size, Reg base, int16_t off) {
  return format("(u%u *)(r%u %+d)", bits(size), base.number, off);
}

std::string print_atomic(const Atomic& i) {
  const char* wide = i.size == Size::b8 ? "64" : "";
  const std::string where = pointer(i.size, i.base, i.off);
  const std::string src = reg(i.src);
  if (i.op == AtomicOp::compare_exchange)
    return format("r0 = atomic%s_cmpxchg(%s, r0, %s)", wide, where.c_str(), src.c_str());
  if (i.op == AtomicOp::exchange)
    return format("%s = atomic%s_xchg(%s, %s)", src.c_str(), wide, where.c_str(), src.c_str());
  if (i.fetch)
    return format("%s = atomic%s_fetch_%s(%s, %s)", src.c_str(), wide,
                  std::string(atomic_word(i.op)).c_str(), where.c_str(), src.c_str());
  return "lock *" + where + " " + std::string(atomic_symbol(i.op)) + " " + src;
}

std::string print_load_imm64(const LoadImm64& i) {
  const std::string dst = reg(i.dst);
  const auto low = static_cast<uint32_t>(i.imm), high = static_cast<uint32_t>(i.imm >> 32);
  switch (i.kind) {
  case Imm64Kind::imm: return dst + format(" = 0x%llx", static_cast<unsigned long long>(i.imm));
  case Imm64Kind::map: return dst + format(" = map[id:%u]", low);
  case Imm64Kind::map_value: return dst + format(" = map[id:%u][0]+%u", low, high);
  case Imm64Kind::ksym:
    return dst + format(" = ksym[0x%llx]", static_cast<unsigned long long>(i.imm));
  case Imm64Kind::func: return dst + format(" = subprog[%d]", static_cast<int32_t>(low));
  case Imm64Kind::map_index: return dst + format(" = map[idx:%u]", low);
  case Imm64Kind::map_index_value: return dst + format(" = map[idx:%u][0]+%u", low, high);
  }
  return dst;
}

std::string print_helper(int32_t id) {
  const std::string_view name = kernel_helper_name(id);
  return format("call %s%.*s#%d", name.empty() ? "unknown" : "bpf_", static_cast<int>(name.size()),
                name.data(), id);
}

std::string print_swap(const ByteSwap& i) {
  const char* word = i.kind == SwapKind::to_le ? "le" : i.kind == SwapKind::to_be ? "be" : "bswap";
  return format("r%u = %s%u r%u", i.dst.number, word, i.bits, i.dst.number);
}

} // namespace

std::string print(const Insn& insn) {
  return std::visit(
      overloaded{
          [](const Alu& i) {
            return reg(i.dst, i.width) + " " + std::string(alu_symbol(i.op)) + " " +
                   decimal(i.src, i.width);
          },
          [](const Neg& i) { return reg(i.dst, i.width) + " = -" + reg(i.dst, i.width); },
          [](const MovSx& i) {
            return reg(i.dst, i.width) + format(" = (s%u)", i.bits) + reg(i.src, i.width);
          },
          [](const ByteSwap& i) { return print_swap(i); },
          [](const AddrSpaceCast& i) {
            return format("r%u = addr_space_cast(r%u, %u, %u)", i.dst.number, i.src.number, i.to,
                          i.from);
          },
          [](const LoadImm64& i) { return print_load_imm64(i); },
          [](const Load& i) {
            return reg(i.dst) + " = " +
                   memory(i.sign_extend ? "s" : "u", bits(i.size), i.base, i.off);
          },
          [](const Store& i) {
            return memory("u", bits(i.size), i.base, i.off) + " = " + decimal(i.src);
          },
          [](const Atomic& i) { return print_atomic(i); },
          [](const LoadAcquire& i) {
            return reg(i.dst) + " = load_acquire(" + pointer(i.size, i.base, i.off) + ")";
          },
          [](const StoreRelease& i) {
            return "store_release(" + pointer(i.size, i.base, i.off) + ", " + reg(i.src) + ")";
          },
          [](const LegacyPacketLoad& i) {
            return i.indirect
                       ? format("r0 = *(u%u *)skb[r%u + %d]", bits(i.size), i.src.number, i.imm)
                       : format("r0 = *(u%u *)skb[%d]", bits(i.size), i.imm);
          },
          [](const Jump& i) { return format("%s pc%+d", i.is_long ? "gotol" : "goto", i.off); },
          [](const Branch& i) {
            return "if " + reg(i.dst, i.width) + " " + std::string(cond_symbol(i.cond)) + " " +
                   hexadecimal(i.src, i.width) + format(" goto pc%+d", i.off);
          },
          [](const MayGoto& i) { return format("may_goto pc%+d", i.off); },
          [](const CallHelper& i) { return print_helper(i.id); },
          [](const CallLocal& i) { return format("call pc%+d", i.off); },
          [](const CallKfunc& i) { return format("call kfunc#%d/%d", i.btf_id, i.module); },
          [](const CallIndirect& i) { return "callx " + reg(i.target); },
          [](const Exit&) { return std::string("exit"); },
      },
      insn);
}

} // namespace bpfaot::bpf
