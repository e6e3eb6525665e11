// SPDX-License-Identifier: MIT
//
// Writes riscv64 code at a known address: 4-byte forms only, but for what is copied. Long jumps and
// calls take the register they are given.
#pragma once

#include "targets/riscv64/patch.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace bpfaot::targets::riscv64 {

// A place in the code that jumps lead to before it is known.
struct Label {
  static constexpr uint32_t kUnset = UINT32_MAX;
  uint32_t at = kUnset;
  std::vector<uint32_t> uses; // offsets of jal and branches
};

enum Condition : uint8_t { kEqual = 0, kNotEqual = 1, kGreaterEqual = 5, kAboveEqual = 7 };

class Emitter {
public:
  explicit Emitter(uint64_t pc) : start_(pc) {}

  uint64_t pc() const { return start_ + code_.size(); }
  uint32_t size() const { return static_cast<uint32_t>(code_.size()); }
  bool in_reach() const { return in_reach_; }
  // Constants come behind the code, at an address that is a multiple of 8 when the code's is.
  std::vector<uint8_t> take() {
    while (!constants_.empty() && code_.size() % 8 != 0) {
      half(0);
    }
    for (const Constant& constant : constants_) {
      const int32_t distance = static_cast<int32_t>(size() - constant.auipc);
      patch(constant.auipc, u_type(0b0010111, constant.reg, high(distance)));
      patch(constant.auipc + 4, i_type(0b0000011, 3, constant.reg, constant.reg, low(distance)));
      raw(&constant.value, 8);
    }
    constants_.clear();
    return std::move(code_);
  }

  void half(uint16_t value) { raw(&value, 2); }
  void word(uint32_t value) { raw(&value, 4); }
  void append(std::span<const uint8_t> list) { code_.insert(code_.end(), list.begin(), list.end()); }

  void addi(Reg rd, Reg rs1, int32_t imm) { word(i_type(0b0010011, 0, rd, rs1, imm)); }
  void addiw(Reg rd, Reg rs1, int32_t imm) { word(i_type(0b0011011, 0, rd, rs1, imm)); }
  void slli(Reg rd, Reg rs1, int32_t by) { word(i_type(0b0010011, 1, rd, rs1, by)); }
  void srli(Reg rd, Reg rs1, int32_t by) { word(i_type(0b0010011, 5, rd, rs1, by)); }
  void add(Reg rd, Reg rs1, Reg rs2) { word(r_type(0b0110011, 0, 0, rd, rs1, rs2)); }
  void mul(Reg rd, Reg rs1, Reg rs2) { word(r_type(0b0110011, 0, 1, rd, rs1, rs2)); }
  void mv(Reg rd, Reg rs1) { addi(rd, rs1, 0); }
  void ld(Reg rd, Reg base, int32_t disp) { word(i_type(0b0000011, 3, rd, base, disp)); }
  void lwu(Reg rd, Reg base, int32_t disp) { word(i_type(0b0000011, 6, rd, base, disp)); }
  void sd(Reg rs2, Reg base, int32_t disp) { word(s_type(3, rs2, base, disp)); }
  void sw(Reg rs2, Reg base, int32_t disp) { word(s_type(2, rs2, base, disp)); }
  void amoadd_w(Reg rd, Reg rs2, Reg address) { word(r_type(0b0101111, 2, 0, rd, address, rs2)); }
  void jalr(Reg rd, Reg rs1, int32_t imm) { word(i_type(0b1100111, 0, rd, rs1, imm)); }
  void ebreak() { word(0x00100073); }

  // As few instructions as lui and shifts need for a constant.
  void li(Reg rd, uint64_t value) {
    const auto narrow = static_cast<int64_t>(value);
    const int32_t rest = low(static_cast<int64_t>(value));
    if (narrow >= INT32_MIN && narrow <= INT32_MAX) {
      const uint32_t upper = high(static_cast<int32_t>(narrow));
      if (upper == 0) {
        addi(rd, zero, rest);
        return;
      }
      word(u_type(0b0110111, rd, upper));
      if (rest != 0) {
        addiw(rd, rd, rest);
      }
      return;
    }
    const int64_t upper = static_cast<int64_t>(value - static_cast<uint64_t>(int64_t{rest})) >> 12;
    const int shift = std::countr_zero(static_cast<uint64_t>(upper));
    li(rd, static_cast<uint64_t>(upper >> shift));
    slli(rd, rd, 12 + shift);
    if (rest != 0) {
      addi(rd, rd, rest);
    }
  }
  // One load of a constant behind the code.
  size_t constant(Reg rd, uint64_t value) {
    constants_.push_back({size(), rd, value});
    word(0);
    word(0);
    return constants_.size() - 1;
  }
  void set_constant(size_t index, uint64_t value) { constants_[index].value = value; }
  void address(Reg rd, uint64_t target) {
    const int64_t distance = static_cast<int64_t>(target - pc());
    if (!near(distance)) {
      li(rd, target);
      return;
    }
    word(u_type(0b0010111, rd, high(static_cast<int32_t>(distance))));
    addi(rd, rd, low(distance));
  }
  // rd = return address or zero; `via` is clobbered when the target is far, and may be rd.
  void jump_and_link(Reg rd, uint64_t target, Reg via) {
    const int64_t distance = static_cast<int64_t>(target - pc());
    if (distance >= -(1 << 20) && distance < 1 << 20) {
      word(j_type(rd, static_cast<int32_t>(distance)));
      return;
    }
    in_reach_ &= via != zero;
    long_jump(rd, target, via);
  }
  // Always the long form: 8 bytes when the target is within 2 GiB.
  void long_jump(Reg rd, uint64_t target, Reg via) {
    const int64_t distance = static_cast<int64_t>(target - pc());
    if (near(distance)) {
      word(u_type(0b0010111, via, high(static_cast<int32_t>(distance))));
      jalr(rd, via, low(distance));
      return;
    }
    li(via, target);
    jalr(rd, via, 0);
  }
  void jump_anywhere(uint64_t target, Reg via) { jump_and_link(zero, target, via); }
  void call_anywhere(uint64_t target) { jump_and_link(ra, target, ra); }

  void branch(Condition condition, Reg first, Reg second, Label& label) {
    use(label);
    word(b_type(condition, first, second, 0));
    settle(label);
  }
  void branch_over(uint8_t condition, uint8_t first, uint8_t second, int32_t distance) {
    word(b_type(condition, first, second, distance));
  }
  void patch_branch(uint32_t at, int32_t distance) {
    uint32_t old = 0;
    std::memcpy(&old, &code_[at], 4);
    patch(at, (old & 0x01fff07f) | b_imm(distance));
  }
  void jump(Label& label, Reg rd = zero) {
    use(label);
    word(j_type(rd, 0));
    settle(label);
  }
  void bind(Label& label) {
    label.at = size();
    settle(label);
  }

  static bool near(int64_t distance) { return distance >= INT32_MIN && distance < INT32_MAX - 0x800; }

private:
  struct Constant {
    uint32_t auipc;
    Reg reg;
    uint64_t value;
  };

  static uint32_t high(int32_t value) { return (static_cast<uint32_t>(value) + 0x800) >> 12; }
  static int32_t low(int64_t value) { return (static_cast<int32_t>(value & 0xfff) ^ 0x800) - 0x800; }
  static uint32_t r_type(uint32_t opcode, uint32_t f3, uint32_t f7, Reg rd, Reg rs1, Reg rs2) {
    return f7 << 25 | uint32_t{rs2} << 20 | uint32_t{rs1} << 15 | f3 << 12 | uint32_t{rd} << 7 | opcode;
  }
  static uint32_t i_type(uint32_t opcode, uint32_t f3, Reg rd, Reg rs1, int32_t imm) {
    return static_cast<uint32_t>(imm) << 20 | uint32_t{rs1} << 15 | f3 << 12 | uint32_t{rd} << 7 | opcode;
  }
  static uint32_t s_type(uint32_t f3, Reg rs2, Reg base, int32_t disp) {
    const auto imm = static_cast<uint32_t>(disp);
    return (imm >> 5 & 0x7f) << 25 | uint32_t{rs2} << 20 | uint32_t{base} << 15 | f3 << 12 |
           (imm & 0x1f) << 7 | 0b0100011;
  }
  static uint32_t u_type(uint32_t opcode, Reg rd, uint32_t upper) {
    return upper << 12 | uint32_t{rd} << 7 | opcode;
  }
  static uint32_t j_type(Reg rd, int32_t distance) {
    return j_imm(distance) | uint32_t{rd} << 7 | 0b1101111;
  }
  static uint32_t j_imm(int32_t distance) {
    const auto d = static_cast<uint32_t>(distance);
    return (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 | (d >> 12 & 0xff) << 12;
  }
  static uint32_t b_type(uint8_t condition, uint8_t first, uint8_t second, int32_t distance) {
    return b_imm(distance) | uint32_t{second} << 20 | uint32_t{first} << 15 |
           uint32_t{condition} << 12 | 0b1100011;
  }
  static uint32_t b_imm(int32_t distance) {
    const auto d = static_cast<uint32_t>(distance);
    return (d >> 12 & 1) << 31 | (d >> 5 & 0x3f) << 25 | (d >> 1 & 0xf) << 8 | (d >> 11 & 1) << 7;
  }

  void raw(const void* from, size_t count) {
    const auto* first = static_cast<const uint8_t*>(from);
    code_.insert(code_.end(), first, first + count);
  }
  void patch(uint32_t at, uint32_t value) { std::memcpy(&code_[at], &value, 4); }
  void use(Label& label) { label.uses.push_back(size()); }
  void settle(Label& label) {
    if (label.at == Label::kUnset) {
      return;
    }
    for (const uint32_t at : label.uses) {
      const int32_t distance = static_cast<int32_t>(label.at - at);
      uint32_t old = 0;
      std::memcpy(&old, &code_[at], 4);
      const bool is_jump = (old & 0x7f) == 0b1101111;
      const int32_t limit = is_jump ? 1 << 20 : 1 << 12;
      in_reach_ &= distance >= -limit && distance < limit;
      patch(at, is_jump ? (old & 0xfff) | j_imm(distance) : (old & 0x01fff07f) | b_imm(distance));
    }
    label.uses.clear();
  }

  uint64_t start_;
  std::vector<uint8_t> code_;
  std::vector<Constant> constants_;
  bool in_reach_ = true;
};

} // namespace bpfaot::targets::riscv64
