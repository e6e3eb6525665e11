// SPDX-License-Identifier: MIT
//
// Classes of aarch64 instructions. All are four bytes long. Only the group "branches, exception
// generating and system instructions" can change the flow of control; words of it that are not known
// here are no instructions, so that a branch of a future architecture is never taken for something
// else. Of the other groups only four instructions refer to their own address.
#include "targets/aarch64/patch.h"

#include <cstring>

namespace bpfaot::targets::aarch64 {
namespace {

constexpr uint64_t sign_extend(uint64_t value, unsigned bits) {
  const uint64_t sign = uint64_t{1} << (bits - 1);
  return ((value & ((sign << 1) - 1)) ^ sign) - sign;
}

struct Decoder {
  uint32_t word;
  uint64_t pc;
  Decoded out{};

  bool matches(uint32_t mask, uint32_t value) const { return (word & mask) == value; }
  uint32_t bits(unsigned high, unsigned low) const { return word >> low & ((1u << (high - low + 1)) - 1); }
  uint64_t relative(unsigned high, unsigned low) const {
    return pc + (sign_extend(bits(high, low), high - low + 1) << 2);
  }

  bool is(InsnClass kind, Form form = Form::other) {
    out.insn.kind = kind;
    out.form = form;
    return true;
  }
  bool leads_to(InsnClass kind, Form form, uint64_t target) {
    out.insn.has_target = true;
    out.insn.target = target;
    return is(kind, form);
  }
  bool refers_to(Form form, uint64_t address) {
    out.insn.pc_relative = true;
    out.insn.target = address;
    return is(InsnClass::other, form);
  }

  // 1101 011 opc 11111 op3 Rn op4
  bool branch_register() {
    const uint32_t opc = bits(24, 21), op3 = bits(15, 10), rn = bits(9, 5), op4 = bits(4, 0);
    const bool authenticates = (op3 >> 1) == 1; // 00001x
    if (bits(20, 16) != 31) {
      return false;
    }
    const bool plain = (op3 == 0 && op4 == 0) || (authenticates && op4 == 31);
    switch (opc) {
    case 0b0000: return plain && is(InsnClass::indirect_jump, Form::branch_register);
    case 0b0001: return plain && is(InsnClass::indirect_call, Form::branch_register);
    case 0b0010:
      return ((op3 == 0 && op4 == 0) || (authenticates && rn == 31 && op4 == 31)) &&
             is(InsnClass::ret, Form::branch_register);
    case 0b0100: return rn == 31 && is(InsnClass::ret); // eret
    case 0b0101: return rn == 31 && is(InsnClass::trap); // drps
    case 0b1000: return authenticates && is(InsnClass::indirect_jump, Form::branch_register);
    case 0b1001: return authenticates && is(InsnClass::indirect_call, Form::branch_register);
    default: return false;
    }
  }

  // 1101 0100 opc imm16 op2 LL
  bool exception() {
    const uint32_t opc = bits(23, 21), low = bits(4, 0);
    if (opc == 0) {
      return low == 1 ? is(InsnClass::syscall) : (low == 2 || low == 3) && is(InsnClass::other); // svc hvc smc
    }
    if (opc == 1) {
      return low == 0 && is(InsnClass::breakpoint); // brk
    }
    return (opc == 2 && low == 0) || (opc == 5 && low >= 1 && low <= 3) ? is(InsnClass::trap) : false; // hlt dcps
  }

  // 1101 0101 0000 0011 0010 CRm op2 11111
  bool hint() {
    switch (bits(11, 5)) {
    case 0: return is(InsnClass::nop);
    case 25: return is(InsnClass::landing_pad, Form::sign_a);
    case 27: return is(InsnClass::landing_pad, Form::sign_b);
    case 32: case 34: case 36: case 38: return is(InsnClass::landing_pad); // bti, c, j, jc
    case 39: return is(InsnClass::other, Form::tied_to_pc); // pacm changes what the next one signs with
    default: return is(InsnClass::other);
    }
  }

  bool branches() {
    if (matches(0x7c000000, 0x14000000)) {
      return leads_to((word >> 31) != 0 ? InsnClass::call : InsnClass::jump, Form::b, relative(25, 0));
    }
    if (matches(0xff000000, 0x54000000)) {
      return leads_to(InsnClass::branch, Form::conditional, relative(23, 5));
    }
    if (matches(0x7e000000, 0x34000000)) {
      return leads_to(InsnClass::branch, Form::compare_branch, relative(23, 5));
    }
    if (matches(0x7e000000, 0x36000000)) {
      return leads_to(InsnClass::branch, Form::test_branch, relative(18, 5));
    }
    if (matches(0xfe000000, 0xd6000000)) {
      return branch_register();
    }
    if (matches(0xff000000, 0xd4000000)) {
      return exception();
    }
    if (matches(0xfffff01f, 0xd503201f)) {
      return hint();
    }
    if (matches(0xfffff0ff, 0xd503305f)) {
      return is(InsnClass::other, Form::clear_exclusive);
    }
    return matches(0xff000000, 0xd5000000) && is(InsnClass::other); // system registers, barriers
  }

  bool immediate() {
    if (matches(0x1f000000, 0x10000000)) {
      const uint64_t offset = sign_extend(uint64_t{bits(23, 5)} << 2 | bits(30, 29), 21);
      return (word >> 31) == 0 ? refers_to(Form::adr, pc + offset)
                               : refers_to(Form::adrp, (pc & ~uint64_t{0xfff}) + (offset << 12));
    }
    // autiasppc and autibsppc take an address relative to their own
    return is(InsnClass::other, matches(0xff800000, 0xf3800000) ? Form::tied_to_pc : Form::other);
  }

  bool memory() {
    if (matches(0x3b000000, 0x18000000)) {
      return !matches(0xc4000000, 0xc4000000) && refers_to(Form::load_literal, relative(23, 5));
    }
    // size 001000 o2 L o1: o2 is clear for exclusive access; pairs of 64 or 128 bits have o1, which
    // means compare and swap at smaller sizes
    if (matches(0x3f800000, 0x08000000) && (!matches(0x00200000, 0x00200000) || (word >> 31) != 0)) {
      return is(InsnClass::other, matches(0x00400000, 0x00400000) ? Form::load_exclusive : Form::store_exclusive);
    }
    // Memory copy and set come in threes, and the kernel goes back to the first by address.
    return is(InsnClass::other, matches(0x3b200c00, 0x19000400) ? Form::tied_to_pc : Form::other);
  }

  bool run() {
    switch (bits(28, 25)) {
    case 0b0000: return matches(0xffff0000, 0) ? is(InsnClass::trap) : (word >> 31) != 0 && is(InsnClass::other); // udf; SME
    case 0b0001: case 0b0011: return false;
    case 0b1000: case 0b1001: return immediate();
    case 0b1010: case 0b1011: return branches();
    case 0b0100: case 0b0110: case 0b1100: case 0b1110: return memory();
    default:
      // paciasppc and its kin sign with their own address
      return is(InsnClass::other, matches(0xffff8000, 0xdac18000) ? Form::tied_to_pc : Form::other);
    }
  }
};

} // namespace

std::optional<Decoded> decode_word(uint32_t word, uint64_t pc) {
  Decoder decoder{word, pc};
  if (!decoder.run()) {
    return std::nullopt;
  }
  decoder.out.word = word;
  decoder.out.insn.length = 4;
  return decoder.out;
}

std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc) {
  if (bytes.size() < 4) {
    return std::nullopt;
  }
  uint32_t word = 0;
  std::memcpy(&word, bytes.data(), 4);
  const std::optional<Decoded> decoded = decode_word(word, pc);
  return decoded ? std::optional(decoded->insn) : std::nullopt;
}

} // namespace bpfaot::targets::aarch64
