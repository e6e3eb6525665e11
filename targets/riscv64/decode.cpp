// SPDX-License-Identifier: MIT
//
// Decoder for RV64GC. The two lowest bits say whether an instruction has 2 bytes, the next three
// whether it has 4; longer formats are refused, since nothing that Linux runs has them. Encodings
// that the ISA manual (volume 1, chapters "RV32/64G instruction set listings" and "C") reserves, and
// the opcodes that belong to vendors, are no instructions here: they might jump. Scalar, vector and
// bit manipulation extensions inside the standard opcodes compute and never jump.
#include "targets/riscv64/patch.h"

#include <cstring>

namespace bpfaot::targets::riscv64 {
namespace {

constexpr RegMask bit(unsigned reg) { return reg == 0 ? 0 : RegMask{1} << reg; }

constexpr uint32_t field(uint32_t word, unsigned low, unsigned width) {
  return word >> low & ((1u << width) - 1);
}

constexpr int64_t sign_extend(uint32_t value, unsigned width) {
  const uint32_t sign = 1u << (width - 1);
  return static_cast<int64_t>(value ^ sign) - static_cast<int64_t>(sign);
}

void finish_jal(Decoded& d, uint64_t pc) {
  d.op = Op::jal;
  d.insn.kind = d.rd == 0 ? InsnClass::jump : InsnClass::call;
  d.insn.has_target = true;
  d.insn.target = pc + static_cast<uint64_t>(d.imm);
  d.writes = bit(d.rd);
}

// Returning through t0 is not told from a jump: the register holds other things as well.
void finish_jalr(Decoded& d) {
  d.op = Op::jalr;
  d.insn.kind = d.rd != 0                    ? InsnClass::indirect_call
                : d.rs1 == ra && d.imm == 0 ? InsnClass::ret
                                            : InsnClass::indirect_jump;
  d.reads = bit(d.rs1);
  d.writes = bit(d.rd);
}

void finish_branch(Decoded& d, uint64_t pc) {
  d.op = Op::branch;
  d.insn.kind = InsnClass::branch;
  d.insn.has_target = true;
  d.insn.target = pc + static_cast<uint64_t>(d.imm);
  d.reads = bit(d.rs1) | bit(d.rs2);
}

// --------------------------------------------------------------------------- 16 bits

class Compressed {
public:
  Compressed(uint16_t word, uint64_t pc) : word_(word), pc_(pc) {}

  std::optional<Decoded> run() {
    if (word_ == 0) { // defined to be illegal
      d_.insn.kind = InsnClass::trap;
      return done(true);
    }
    switch (word_ & 3) {
    case 0: return done(quadrant0());
    case 1: return done(quadrant1());
    default: return done(quadrant2());
    }
  }

private:
  std::optional<Decoded> done(bool ok) {
    d_.insn.length = 2;
    return ok ? std::optional<Decoded>(d_) : std::nullopt;
  }
  uint32_t funct3() const { return field(word_, 13, 3); }
  uint8_t rd() const { return static_cast<uint8_t>(field(word_, 7, 5)); }
  uint8_t rs2() const { return static_cast<uint8_t>(field(word_, 2, 5)); }
  uint8_t low_rd() const { return static_cast<uint8_t>(8 + field(word_, 2, 3)); }  // rd' and rs2'
  uint8_t low_rs1() const { return static_cast<uint8_t>(8 + field(word_, 7, 3)); } // rs1' and rd'
  uint32_t imm6() const { return field(word_, 12, 1) << 5 | field(word_, 2, 5); }
  bool computes(RegMask writes, RegMask reads) {
    d_.writes = writes;
    d_.reads = reads;
    return true;
  }

  bool quadrant0() {
    const RegMask base = bit(low_rs1()), other = bit(low_rd());
    switch (funct3()) {
    case 0: return computes(other, bit(sp)) && field(word_, 5, 8) != 0; // c.addi4spn
    case 1: return computes(0, base);                                  // c.fld
    case 2: case 3: return computes(other, base);                      // c.lw, c.ld
    case 4:                                                            // Zcb: bytes and halves
      if (field(word_, 10, 3) < 2) {
        return computes(other, base);
      }
      return computes(0, base | other) && field(word_, 10, 3) < 4;
    case 5: return computes(0, base);         // c.fsd
    default: return computes(0, base | other); // c.sw, c.sd
    }
  }

  bool arithmetic() {
    const RegMask target = bit(low_rs1());
    if (field(word_, 10, 2) != 3) {
      return computes(target, target); // c.srli, c.srai, c.andi
    }
    const uint32_t what = field(word_, 12, 1) << 2 | field(word_, 5, 2);
    if (what == 7) { // Zcb: extensions and not
      return computes(target, target) && field(word_, 2, 3) < 6;
    }
    return computes(target, target | bit(low_rd()));
  }

  bool quadrant1() {
    switch (funct3()) {
    case 0:
      d_.insn.kind = word_ == 1 ? InsnClass::nop : InsnClass::other;
      return computes(bit(rd()), bit(rd()));                      // c.nop, c.addi
    case 1: return computes(bit(rd()), bit(rd())) && rd() != 0; // c.addiw
    case 2: return computes(bit(rd()), 0);                      // c.li
    case 3:
      if (imm6() == 0) { // Zcmop, of which c.mop.1 may push the return address to a shadow stack
        return computes(0, bit(rd())) && (rd() & 0x11) == 1;
      }
      return rd() == sp ? computes(bit(sp), bit(sp)) : computes(bit(rd()), 0); // c.addi16sp, c.lui
    case 4: return arithmetic();
    case 5: {
      const uint32_t w = word_;
      d_.imm = sign_extend(field(w, 12, 1) << 11 | field(w, 11, 1) << 4 | field(w, 9, 2) << 8 |
                               field(w, 8, 1) << 10 | field(w, 7, 1) << 6 | field(w, 6, 1) << 7 |
                               field(w, 3, 3) << 1 | field(w, 2, 1) << 5,
                           12);
      finish_jal(d_, pc_);
      return true;
    }
    default: {
      const uint32_t w = word_;
      d_.imm = sign_extend(field(w, 12, 1) << 8 | field(w, 10, 2) << 3 | field(w, 5, 2) << 6 |
                               field(w, 3, 2) << 1 | field(w, 2, 1) << 5,
                           9);
      d_.rs1 = low_rs1();
      d_.condition = static_cast<uint8_t>(funct3() & 1); // beq, bne
      finish_branch(d_, pc_);
      return true;
    }
    }
  }

  bool quadrant2() {
    switch (funct3()) {
    case 0: return computes(bit(rd()), bit(rd())); // c.slli
    case 1: return computes(0, bit(sp));           // c.fldsp
    case 2: case 3: return computes(bit(rd()), bit(sp)) && rd() != 0; // c.lwsp, c.ldsp
    case 4: return registers();
    case 5: return computes(0, bit(sp));       // c.fsdsp
    default: return computes(0, bit(sp) | bit(rs2())); // c.swsp, c.sdsp
    }
  }

  bool registers() {
    const bool second = field(word_, 12, 1) != 0;
    if (rs2() != 0) { // c.mv, c.add
      return computes(bit(rd()), bit(rs2()) | (second ? bit(rd()) : 0));
    }
    if (rd() == 0) {
      d_.insn.kind = InsnClass::breakpoint; // c.ebreak; c.jr of x0 is reserved
      return second;
    }
    d_.rd = second ? ra : zero;
    d_.rs1 = rd();
    finish_jalr(d_);
    return true;
  }

  uint16_t word_;
  uint64_t pc_;
  Decoded d_;
};

// --------------------------------------------------------------------------- 32 bits

class Full {
public:
  Full(uint32_t word, uint64_t pc) : word_(word), pc_(pc) {}

  std::optional<Decoded> run() {
    d_.insn.length = 4;
    d_.rd = static_cast<uint8_t>(field(word_, 7, 5));
    d_.rs1 = static_cast<uint8_t>(field(word_, 15, 5));
    d_.rs2 = static_cast<uint8_t>(field(word_, 20, 5));
    d_.condition = static_cast<uint8_t>(field(word_, 12, 3));
    return opcode() ? std::optional<Decoded>(d_) : std::nullopt;
  }

private:
  bool computes(bool writes, bool first, bool second) {
    d_.writes = writes ? bit(d_.rd) : 0;
    d_.reads = (first ? bit(d_.rs1) : 0) | (second ? bit(d_.rs2) : 0);
    return true;
  }

  bool opcode() {
    const uint8_t funct3 = d_.condition;
    switch (field(word_, 2, 5)) {
    case 0b00000: return computes(true, true, false) && funct3 != 7;  // loads
    case 0b00001: return computes(false, true, true);                 // floating and vector loads
    case 0b00011: return computes(false, true, false) && funct3 <= 2; // fence, fence.i, cbo
    case 0b00100:
      d_.insn.kind = word_ == 0x13 ? InsnClass::nop : InsnClass::other;
      return computes(true, true, false);
    case 0b00101: return auipc();
    case 0b00110: return computes(true, true, false);               // with 32-bit results
    case 0b01000: return computes(false, true, true) && funct3 < 4; // stores
    case 0b01001: return computes(false, true, true);               // floating and vector stores
    case 0b01011: return atomic();
    case 0b01100: case 0b01110: return computes(true, true, true);
    case 0b01101: return computes(true, false, false); // lui
    case 0b10000: case 0b10001: case 0b10010: case 0b10011:
      return computes(false, false, false); // fused multiply and add
    case 0b10100: return floating();
    case 0b10101: case 0b11101: return computes(false, true, true); // vectors
    case 0b11000: return branch();
    case 0b11001:
      d_.imm = sign_extend(field(word_, 20, 12), 12);
      finish_jalr(d_);
      return funct3 == 0;
    case 0b11011:
      d_.imm = sign_extend(field(word_, 31, 1) << 20 | field(word_, 12, 8) << 12 |
                               field(word_, 20, 1) << 11 | field(word_, 21, 10) << 1,
                           21);
      finish_jal(d_, pc_);
      return true;
    case 0b11100: return system();
    default: return false; // reserved or a vendor's
    }
  }

  bool auipc() {
    d_.op = Op::auipc;
    d_.imm = sign_extend(field(word_, 12, 20), 20) * 4096;
    d_.insn.kind = d_.rd == 0 ? InsnClass::landing_pad : InsnClass::other; // lpad writes no register
    d_.insn.pc_relative = d_.rd != 0;
    d_.insn.target = d_.rd != 0 ? pc_ + static_cast<uint64_t>(d_.imm) : 0;
    d_.writes = bit(d_.rd);
    d_.reads = d_.rd == 0 ? bit(t2) : 0; // the label that lpad compares
    return true;
  }

  bool atomic() {
    const uint32_t what = field(word_, 27, 5);
    d_.op = what == 2 ? Op::load_reserved : what == 3 ? Op::store_conditional : Op::plain;
    return computes(true, true, true) && d_.condition <= 4;
  }

  bool floating() {
    switch (field(word_, 27, 5)) {
    case 0b11000: case 0b11100: case 0b10100: return computes(true, false, false);
    case 0b11010: case 0b11110: return computes(false, true, false);
    case 0b10110: return computes(false, true, true);
    default: return computes(false, false, false);
    }
  }

  bool branch() {
    d_.imm = sign_extend(field(word_, 31, 1) << 12 | field(word_, 7, 1) << 11 |
                             field(word_, 25, 6) << 5 | field(word_, 8, 4) << 1,
                         13);
    finish_branch(d_, pc_);
    return d_.condition != 2 && d_.condition != 3;
  }

  bool system() {
    switch (d_.condition) {
    case 0:
      switch (word_) {
      case 0x00000073: d_.insn.kind = InsnClass::syscall; return computes(false, false, false);
      case 0x00100073: d_.insn.kind = InsnClass::breakpoint; return true;
      case 0x10500073: case 0x00d00073: case 0x01d00073: return true; // wfi, wrs.nto, wrs.sto
      default: d_.insn.kind = InsnClass::trap; return true;           // not for programs
      }
    case 4: return computes(true, true, true); // Zimop
    case 1: case 2: case 3:
      if (word_ == 0xc0001073) { // unimp: writes a counter that cannot be written
        d_.insn.kind = InsnClass::trap;
      }
      return computes(true, true, false);
    default: return computes(true, false, false);
    }
  }

  uint32_t word_;
  uint64_t pc_;
  Decoded d_;
};

} // namespace

std::optional<Decoded> decode_full(std::span<const uint8_t> bytes, uint64_t pc) {
  if (bytes.size() < 2) {
    return std::nullopt;
  }
  uint16_t half = 0;
  std::memcpy(&half, bytes.data(), 2);
  if ((half & 3) != 3) {
    return Compressed(half, pc).run();
  }
  if ((half & 0x1c) == 0x1c || bytes.size() < 4) {
    return std::nullopt;
  }
  uint32_t word = 0;
  std::memcpy(&word, bytes.data(), 4);
  return Full(word, pc).run();
}

std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc) {
  const std::optional<Decoded> decoded = decode_full(bytes, pc);
  return decoded ? std::optional<Insn>(decoded->insn) : std::nullopt;
}

} // namespace bpfaot::targets::riscv64
