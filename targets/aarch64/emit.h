// SPDX-License-Identifier: MIT
//
// Writes aarch64 code at a known address: the few forms that moved instructions and trampolines
// need. Displacements that do not fit are remembered (in_reach), not reported one by one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace bpfaot::targets::aarch64 {

using Reg = uint32_t; // 0 to 30; 31 is sp or zero
constexpr Reg x0 = 0, x9 = 9, x10 = 10, x11 = 11, x16 = 16, x17 = 17, x30 = 30, sp = 31, xzr = 31;

enum Condition : uint32_t { equal = 0, not_equal = 1, higher_same = 2, lower_same = 9 };

inline bool reaches(uint64_t from, uint64_t to, unsigned bits) { // of a signed field of words
  const int64_t distance = static_cast<int64_t>(to - from);
  const int64_t limit = int64_t{1} << (bits + 1); // half of 4 * 2^bits
  return distance >= -limit && distance < limit;
}

struct Label {
  static constexpr uint32_t kUnset = UINT32_MAX;
  uint32_t at = kUnset;
  std::vector<uint32_t> uses; // offsets of branches
};

class Emitter {
public:
  explicit Emitter(uint64_t pc) : start_(pc) {}

  uint64_t pc() const { return start_ + size(); }
  uint32_t size() const { return static_cast<uint32_t>(words_.size() * 4); }
  bool in_reach() const { return in_reach_; }
  std::vector<uint8_t> take() const {
    std::vector<uint8_t> bytes(size());
    std::memcpy(bytes.data(), words_.data(), bytes.size());
    return bytes;
  }

  void word(uint32_t value) { words_.push_back(value); }
  void append(std::span<const uint8_t> bytes) {
    for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
      uint32_t value = 0;
      std::memcpy(&value, &bytes[i], 4);
      word(value);
    }
  }

  // A branch with a signed field of `bits` words at `low`.
  void branch(uint32_t opcode, unsigned low, unsigned bits, uint64_t target) {
    word(opcode);
    set_field(size() - 4, low, bits, target);
  }
  void jump(uint64_t target) { branch(0x14000000, 0, 26, target); }
  void branch(Condition condition, Label& label) { use(0x54000000 | condition, label); }
  void branch_not_zero(Reg reg, Label& label, bool wide = true) { use((wide ? 0xb5000000 : 0x35000000) | reg, label); }
  void branch_if_bit(Reg reg, uint32_t bit, Label& label) { use(0x37000000 | bit << 19 | reg, label); } // tbnz
  void address(Reg reg, Label& label) { use(0x10000000 | reg, label); } // adr
  void jump(Label& label) { use(0x14000000, label); }
  void call(Label& label) { use(0x94000000, label); }
  void bind(Label& label) {
    label.at = size();
    for (const uint32_t at : label.uses) {
      resolve(at, label.at);
    }
    label.uses.clear();
  }
  void load_word(Reg reg, uint64_t address) { // 32 bits
    if (reaches(pc(), address, 19)) {
      branch(0x18000000 | reg, 5, 19, address);
      return;
    }
    move_imm(reg, address);
    word(0xb9400000 | reg << 5 | reg);
  }
  // bl, through `scratch` when that is too far
  void call_anywhere(uint64_t target, Reg scratch) {
    if (reaches(pc(), target, 26)) {
      branch(0x94000000, 0, 26, target);
      return;
    }
    move_imm(scratch, target);
    word(0xd63f0000 | scratch << 5); // blr
  }
  // Without a landing pad at the target even where pages ask for them: ret sets no branch type.
  void jump_through(Reg scratch, uint64_t target) {
    move_imm(scratch, target);
    word(0xd65f0000 | scratch << 5); // ret
  }

  void move_imm(Reg reg, uint64_t value) { // movz, movk...
    bool first = true;
    for (uint32_t half = 0; half < 4; ++half) {
      const uint32_t part = value >> (16 * half) & 0xffff;
      if (part == 0 && !(half == 3 && first)) {
        continue;
      }
      word((first ? 0xd2800000 : 0xf2800000) | half << 21 | part << 5 | reg);
      first = false;
    }
  }
  void move(Reg to, Reg from) { word(0xaa0003e0 | from << 16 | to); }

  void load(Reg reg, Reg base, uint32_t offset) { word(0xf9400000 | offset / 8 << 10 | base << 5 | reg); }
  void store(Reg reg, Reg base, uint32_t offset) { word(0xf9000000 | offset / 8 << 10 | base << 5 | reg); }
  void load_pair(Reg a, Reg b, Reg base, uint32_t offset) { word(0xa9400000 | offset / 8 << 15 | b << 10 | base << 5 | a); }
  void store_pair(Reg a, Reg b, Reg base, uint32_t offset) { word(0xa9000000 | offset / 8 << 15 | b << 10 | base << 5 | a); }
  void add_imm(Reg to, Reg from, uint32_t value) { word(0x91000000 | value << 10 | from << 5 | to); }
  void sub_imm(Reg to, Reg from, uint32_t value) { word(0xd1000000 | value << 10 | from << 5 | to); }
  void read_flags(Reg reg) { word(0xd53b4200 | reg); }  // mrs reg, nzcv
  void write_flags(Reg reg) { word(0xd51b4200 | reg); } // msr nzcv, reg

  // Sets the 16 bits of a movk that was written before they were known.
  void set_half(uint32_t at, uint64_t value) { words_[at / 4] |= static_cast<uint32_t>(value & 0xffff) << 5; }

private:
  void set_field(uint32_t at, unsigned low, unsigned bits, uint64_t target) {
    in_reach_ &= reaches(start_ + at, target, bits) && (target & 3) == 0;
    const uint32_t field = static_cast<uint32_t>((target - (start_ + at)) >> 2) & ((1u << bits) - 1);
    words_[at / 4] |= field << low;
  }
  void resolve(uint32_t at, uint32_t to) {
    if ((words_[at / 4] & 0x9f000000) == 0x10000000) {
      const uint32_t offset = to - at;
      words_[at / 4] |= (offset & 3) << 29 | (offset >> 2 & 0x7ffff) << 5;
      return;
    }
    const bool jump = (words_[at / 4] & 0x7c000000) == 0x14000000;
    const bool test = (words_[at / 4] & 0x7e000000) == 0x36000000;
    set_field(at, jump ? 0 : 5, jump ? 26 : test ? 14 : 19, start_ + to);
  }
  void use(uint32_t opcode, Label& label) {
    word(opcode);
    if (label.at != Label::kUnset) {
      resolve(size() - 4, label.at);
    } else {
      label.uses.push_back(size() - 4);
    }
  }

  uint64_t start_;
  std::vector<uint32_t> words_;
  bool in_reach_ = true;
};

} // namespace bpfaot::targets::aarch64
