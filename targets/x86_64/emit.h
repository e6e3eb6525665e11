// SPDX-License-Identifier: MIT
//
// Writes x86_64 code at a known address: the few forms that moved instructions and trampolines
// need. Displacements that do not fit are remembered (in_reach), not reported one by one.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <vector>

namespace bpfaot::targets::x86_64 {

enum Reg : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

// A place in the code that short and long jumps lead to before it is known.
struct Label {
  static constexpr uint32_t kUnset = UINT32_MAX;
  uint32_t at = kUnset;
  std::vector<uint32_t> uses; // offsets of rel32 fields
};

class Emitter {
public:
  explicit Emitter(uint64_t pc) : start_(pc) {}

  uint64_t pc() const { return start_ + code_.size(); }
  uint32_t size() const { return static_cast<uint32_t>(code_.size()); }
  bool in_reach() const { return in_reach_; }
  std::vector<uint8_t> take() { return std::move(code_); }

  void u8(uint8_t byte) { code_.push_back(byte); }
  void u32(uint32_t value) { raw(&value, 4); }
  void u64(uint64_t value) { raw(&value, 8); }
  void bytes(std::initializer_list<uint8_t> list) { code_.insert(code_.end(), list); }
  void append(std::span<const uint8_t> list) { code_.insert(code_.end(), list.begin(), list.end()); }
  void align(uint32_t to) {
    while (code_.size() % to != 0) {
      u8(0xcc);
    }
  }

  // rel32 at `offset`, counted from `from`.
  void patch32_relative(size_t offset, uint64_t target, uint64_t from) {
    const int64_t relative = static_cast<int64_t>(target - from);
    in_reach_ &= relative >= INT32_MIN && relative <= INT32_MAX;
    const int32_t narrow = static_cast<int32_t>(relative);
    std::memcpy(&code_[offset], &narrow, 4);
  }
  bool reaches(uint64_t target, size_t length) const {
    const int64_t relative = static_cast<int64_t>(target - (pc() + length));
    return relative >= INT32_MIN && relative <= INT32_MAX;
  }

  void jump(uint64_t target) { jump_fixed(target); }
  void jump_fixed(uint64_t target) { relative32({0xe9}, target); } // jmp rel32
  void jump_anywhere(uint64_t target) {
    if (reaches(target, 5)) {
      jump_fixed(target);
      return;
    }
    bytes({0xff, 0x25, 0, 0, 0, 0}); // jmp *0(%rip), the address follows
    u64(target);
  }
  void branch_anywhere(uint8_t condition, uint64_t target) {
    if (reaches(target, 6)) {
      relative32({0x0f, static_cast<uint8_t>(0x80 | condition)}, target); // jcc rel32
      return;
    }
    bytes({static_cast<uint8_t>(0x70 | (condition ^ 1)), 14}); // jncc over the next
    bytes({0xff, 0x25, 0, 0, 0, 0});
    u64(target);
  }
  void call_anywhere(uint64_t target) {
    if (reaches(target, 5)) {
      relative32({0xe8}, target); // call rel32
      return;
    }
    bytes({0xff, 0x15, 2, 0, 0, 0}); // call *2(%rip)
    bytes({0xeb, 8});                // jmp over the address
    u64(target);
  }
  // As `call` would, without a register or flags.
  void push_address(uint64_t address) {
    u8(0x68); // push $low (sign-extended)
    u32(static_cast<uint32_t>(address));
    bytes({0xc7, 0x44, 0x24, 0x04}); // movl $high, 4(%rsp)
    u32(static_cast<uint32_t>(address >> 32));
  }

  // op reg, disp(base) and back, 64 bits wide unless `wide` is false.
  void memory(uint8_t op, Reg reg, Reg base, int32_t disp, bool wide = true) {
    const uint8_t rex = static_cast<uint8_t>((wide ? 8 : 0) | (reg >= 8 ? 4 : 0) | (base >= 8 ? 1 : 0));
    if (rex != 0) {
      u8(0x40 | rex);
    }
    u8(op);
    operand(reg, base, disp);
  }
  void load(Reg reg, Reg base, int32_t disp) { memory(0x8b, reg, base, disp); }
  void store(Reg base, int32_t disp, Reg reg) { memory(0x89, reg, base, disp); }
  void lea(Reg reg, Reg base, int32_t disp) { memory(0x8d, reg, base, disp); }
  void store_imm32(Reg base, int32_t disp, int32_t value) { // movq $sign-extended
    u8(static_cast<uint8_t>(0x48 | (base >= 8 ? 1 : 0)));
    u8(0xc7);
    operand(rax, base, disp);
    u32(static_cast<uint32_t>(value));
  }
  void move_imm(Reg reg, uint64_t value) {
    if (value <= UINT32_MAX) { // mov $imm32, %r32
      if (reg >= 8) {
        u8(0x41);
      }
      u8(static_cast<uint8_t>(0xb8 | (reg & 7)));
      u32(static_cast<uint32_t>(value));
      return;
    }
    u8(static_cast<uint8_t>(0x48 | (reg >= 8 ? 1 : 0)));
    u8(static_cast<uint8_t>(0xb8 | (reg & 7)));
    u64(value);
  }
  // lea target(%rip), %reg when near, mov $imm otherwise.
  void address(Reg reg, uint64_t target) {
    if (!reaches(target, 7)) {
      move_imm(reg, target);
      return;
    }
    bytes({static_cast<uint8_t>(0x48 | (reg >= 8 ? 4 : 0)), 0x8d, static_cast<uint8_t>(0x05 | ((reg & 7) << 3))});
    u32(0);
    patch32_relative(code_.size() - 4, target, pc());
  }

  void test_byte(uint64_t target, uint8_t mask) { // testb $mask, target(%rip)
    bytes({0xf6, 0x05});
    u32(0);
    u8(mask);
    patch32_relative(code_.size() - 5, target, pc());
  }

  void branch(uint8_t condition, Label& label) {
    bytes({0x0f, static_cast<uint8_t>(0x80 | condition)});
    use(label);
  }
  void jump(Label& label) {
    u8(0xe9);
    use(label);
  }
  void reference(Label& label) { use(label); } // rel32 behind an opcode already written
  void bind(Label& label) {
    label.at = size();
    for (const uint32_t field : label.uses) {
      patch32_relative(field, start_ + label.at, start_ + field + 4);
    }
    label.uses.clear();
  }

private:
  void raw(const void* from, size_t count) {
    const auto* first = static_cast<const uint8_t*>(from);
    code_.insert(code_.end(), first, first + count);
  }
  void relative32(std::initializer_list<uint8_t> op, uint64_t target) {
    bytes(op);
    u32(0);
    patch32_relative(code_.size() - 4, target, pc());
  }
  void use(Label& label) {
    u32(0);
    if (label.at != Label::kUnset) {
      patch32_relative(code_.size() - 4, start_ + label.at, pc());
    } else {
      label.uses.push_back(size() - 4);
    }
  }
  void operand(Reg reg, Reg base, int32_t disp) {
    const uint8_t middle = static_cast<uint8_t>((reg & 7) << 3);
    const bool small = disp >= -128 && disp <= 127;
    u8(static_cast<uint8_t>((small ? 0x40 : 0x80) | middle | (base & 7)));
    if ((base & 7) == 4) {
      u8(0x24);
    }
    if (small) {
      u8(static_cast<uint8_t>(disp));
    } else {
      u32(static_cast<uint32_t>(disp));
    }
  }

  uint64_t start_;
  std::vector<uint8_t> code_;
  bool in_reach_ = true;
};

} // namespace bpfaot::targets::x86_64
