// SPDX-License-Identifier: MIT
//
// Length decoder for 64-bit mode: legacy prefixes, REX, VEX, EVEX, XOP, ModRM, SIB, displacement,
// immediate. An instruction is what the longest run of the grammar of the Intel and AMD manuals
// (volume 2, appendix A; volume 3, appendix A) makes of the bytes; undefined opcodes of defined
// maps get the length that their neighbours have, because processors fetch them so. The tests
// compare it with capstone over whole libraries.
#include "targets/x86_64/patch.h"

#include <cstring>

namespace bpfaot::targets::x86_64 {
namespace {

// What follows an opcode.
enum Form : uint8_t {
  N = 0,      // nothing
  M = 1,      // ModRM
  B = 2,      // imm8
  Z = 4,      // imm16 or imm32 by operand size
  W = 8,      // imm16
  R1 = 16,    // rel8
  R4 = 32,    // rel32
  X = 64,     // not an instruction in 64-bit mode
  MB = M | B,
  MZ = M | Z,
};

constexpr uint8_t kOneByte[256] = {
    // 0  1  2  3  4  5  6  7  8  9  A  B  C  D  E  F
    M, M, M, M, B, Z, X, X, M, M, M, M, B, Z, X, X,                     // 00
    M, M, M, M, B, Z, X, X, M, M, M, M, B, Z, X, X,                     // 10
    M, M, M, M, B, Z, X, X, M, M, M, M, B, Z, X, X,                     // 20
    M, M, M, M, B, Z, X, X, M, M, M, M, B, Z, X, X,                     // 30
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,                     // 40 REX
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,                     // 50
    X, X, X, M, X, X, X, X, Z, MZ, B, MB, N, N, N, N,                   // 60
    R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1,     // 70
    MB, MZ, X, MB, M, M, M, M, M, M, M, M, M, M, M, M,                  // 80
    N, N, N, N, N, N, N, N, N, N, X, N, N, N, N, N,                     // 90
    N, N, N, N, N, N, N, N, B, Z, N, N, N, N, N, N,                     // A0 (moffs apart)
    B, B, B, B, B, B, B, B, Z, Z, Z, Z, Z, Z, Z, Z,                     // B0 (imm64 apart)
    MB, MB, W, N, X, X, MB, MZ, W | B, N, W, N, N, B, X, N,             // C0
    M, M, M, M, X, X, X, N, M, M, M, M, M, M, M, M,                     // D0
    R1, R1, R1, R1, B, B, B, B, R4, R4, X, R1, N, N, N, N,              // E0
    X, N, X, X, N, N, M, M, N, N, N, N, N, N, M, M,                     // F0 (F6, F7 apart)
};

constexpr uint8_t kTwoByte[256] = {
    M, M, M, M, X, N, N, N, N, N, X, N, X, M, N, MB,                    // 00
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // 10
    M, M, M, M, X, X, X, X, M, M, M, M, M, M, M, M,                     // 20
    N, N, N, N, N, N, X, N, X, X, X, X, X, X, X, X,                     // 30
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // 40
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // 50
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // 60
    MB, MB, MB, MB, M, M, M, N, M, M, X, X, M, M, M, M,                 // 70
    R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4, R4,     // 80
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // 90
    N, N, N, M, MB, M, X, X, N, N, N, M, MB, M, M, M,                   // A0
    M, M, M, M, M, M, M, M, M, M, MB, M, M, M, M, M,                    // B0
    M, M, MB, M, MB, MB, MB, M, N, N, N, N, N, N, N, N,                 // C0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // D0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // E0
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,                     // F0
};

constexpr size_t kMaxLength = 15;

class Decoder {
public:
  Decoder(std::span<const uint8_t> bytes, uint64_t pc)
      : bytes_(bytes.first(std::min(bytes.size(), kMaxLength))), pc_(pc) {}

  std::optional<Decoded> run() {
    const bool ok = prefixes() && opcode() && operands();
    if (!ok) {
      return std::nullopt;
    }
    d_.insn.length = static_cast<uint8_t>(at_);
    classify();
    return d_;
  }

private:
  bool take(uint8_t& byte) {
    if (at_ >= bytes_.size()) {
      return false;
    }
    byte = bytes_[at_++];
    return true;
  }
  bool skip(size_t count) {
    if (bytes_.size() - at_ < count) {
      return false;
    }
    at_ += count;
    return true;
  }
  uint8_t peek() const { return at_ < bytes_.size() ? bytes_[at_] : 0; }

  bool prefixes();
  bool opcode();
  bool vex_opcode(uint8_t lead);
  bool operands();
  bool modrm();
  void classify();
  void classify_one_byte();
  void classify_two_byte();
  void set_target(InsnClass kind);

  std::span<const uint8_t> bytes_;
  uint64_t pc_;
  size_t at_ = 0;
  uint8_t form_ = N;
  bool rep_ = false;    // F3
  bool repne_ = false;  // F2
  bool lock_ = false;
  bool has_rex_ = false;
  Decoded d_;
};

bool Decoder::prefixes() {
  uint8_t rex = 0;
  for (;; ++at_) {
    if (at_ >= bytes_.size()) {
      return false;
    }
    const uint8_t byte = bytes_[at_];
    if ((byte & 0xf0) == 0x40) {
      rex = byte; // counts only when it is the last one before the opcode
      continue;
    }
    switch (byte) {
    case 0x66: d_.operand_size = true; break;
    case 0x67: d_.address_size = true; break;
    case 0xf2: repne_ = true; break;
    case 0xf3: rep_ = true; break;
    case 0xf0: lock_ = true; break;
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: break;
    default:
      d_.rex_w = (rex & 8) != 0;
      d_.rex_b = (rex & 1) != 0;
      d_.prefix_end = static_cast<uint8_t>(at_);
      // VEX, EVEX and XOP refuse a REX before them; the caller sees that as no instruction.
      has_rex_ = rex != 0;
      return true;
    }
    rex = 0;
  }
}

bool Decoder::opcode() {
  uint8_t byte = 0;
  d_.opcode_offset = static_cast<uint8_t>(at_);
  if (!take(byte)) {
    return false;
  }
  const bool xop = byte == 0x8f && (peek() & 0x1f) >= 8;
  if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 || xop) {
    return vex_opcode(byte);
  }
  if (byte != 0x0f) {
    d_.opcode = byte;
    form_ = kOneByte[byte];
    return form_ != X;
  }
  d_.map = 1;
  if (!take(byte)) {
    return false;
  }
  if (byte == 0x38 || byte == 0x3a) {
    d_.map = byte == 0x38 ? 2 : 3;
    form_ = byte == 0x38 ? M : MB;
    d_.opcode_offset = static_cast<uint8_t>(at_);
    return take(d_.opcode);
  }
  d_.opcode_offset = static_cast<uint8_t>(at_ - 1);
  d_.opcode = byte;
  form_ = kTwoByte[byte];
  if (byte == 0x78 && (d_.operand_size || repne_)) {
    form_ = M | W; // SSE4a extrq, insertq: two bytes
  }
  return form_ != X;
}

bool Decoder::vex_opcode(uint8_t lead) {
  uint8_t payload = 0;
  if (has_rex_ || d_.operand_size || rep_ || repne_ || lock_ || !take(payload)) {
    return false;
  }
  d_.vex = true;
  if (lead == 0xc5) {
    d_.map = 1;
  } else if (lead == 0x62) {
    d_.map = payload & 7;
    if ((payload & 8) != 0 || d_.map == 0 || d_.map == 4 || d_.map == 7 || !skip(2)) {
      return false;
    }
  } else {
    d_.map = payload & 0x1f;
    if (!skip(1)) {
      return false;
    }
  }
  d_.opcode_offset = static_cast<uint8_t>(at_);
  if (!take(d_.opcode)) {
    return false;
  }
  switch (d_.map) {
  case 1:
    form_ = kTwoByte[d_.opcode] & (M | B);
    if (d_.opcode == 0x77) {
      form_ = N;
    } else if ((form_ & M) == 0) {
      return false;
    }
    return true;
  case 2: case 5: case 6: form_ = M; return true;
  case 3: form_ = MB; return true;
  case 8: form_ = MB; return lead == 0x8f;
  case 9: form_ = M; return lead == 0x8f;
  case 10: form_ = M | R4; return lead == 0x8f; // imm32
  default: return false;
  }
}

bool Decoder::modrm() {
  d_.modrm_offset = static_cast<uint8_t>(at_);
  if (!take(d_.modrm)) {
    return false;
  }
  d_.has_modrm = true;
  const uint8_t mod = d_.modrm >> 6;
  const uint8_t rm = d_.modrm & 7;
  const bool control = d_.map == 1 && !d_.vex && d_.opcode >= 0x20 && d_.opcode <= 0x23;
  if (mod == 3 || control) {
    return true;
  }
  if (rm == 4) {
    if (!take(d_.sib)) {
      return false;
    }
    d_.has_sib = true;
  }
  if (mod == 1) {
    d_.disp_size = 1;
  } else if (mod == 2 || (mod == 0 && rm == 5) || (mod == 0 && rm == 4 && (d_.sib & 7) == 5)) {
    d_.disp_size = 4;
  }
  d_.insn.pc_relative = mod == 0 && rm == 5;
  d_.disp_offset = static_cast<uint8_t>(at_);
  return skip(d_.disp_size);
}

bool Decoder::operands() {
  if ((form_ & M) != 0 && !modrm()) {
    return false;
  }
  const uint8_t reg = (d_.modrm >> 3) & 7;
  const bool one_byte = d_.map == 0 && !d_.vex;
  const uint8_t z = d_.operand_size && !d_.rex_w ? 2 : 4;
  uint8_t size = 0;
  if ((form_ & B) != 0) size += 1;
  if ((form_ & W) != 0) size += 2;
  if ((form_ & Z) != 0) size += z;
  if ((form_ & R1) != 0) size += 1;
  if ((form_ & R4) != 0) size += 4;
  if (one_byte && (d_.opcode == 0xf6 || d_.opcode == 0xf7) && reg < 2) {
    size = d_.opcode == 0xf6 ? 1 : z;
  } else if (one_byte && d_.opcode >= 0xb8 && d_.opcode <= 0xbf && d_.rex_w) {
    size = 8;
  } else if (one_byte && d_.opcode >= 0xa0 && d_.opcode <= 0xa3) {
    size = d_.address_size ? 4 : 8;
  }
  // xbegin with a 16-bit distance cuts its target to 16 bits: no code has it.
  if (one_byte && d_.opcode == 0xc7 && d_.modrm == 0xf8 && z == 2) {
    return false;
  }
  d_.imm_offset = static_cast<uint8_t>(at_);
  d_.imm_size = size;
  return skip(size);
}

void Decoder::set_target(InsnClass kind) {
  int64_t relative = 0;
  if (d_.imm_size == 1) {
    relative = static_cast<int8_t>(bytes_[d_.imm_offset]);
  } else {
    int32_t value = 0;
    std::memcpy(&value, &bytes_[d_.imm_offset], 4);
    relative = value;
  }
  d_.insn.kind = kind;
  d_.insn.has_target = true;
  d_.insn.target = pc_ + d_.insn.length + static_cast<uint64_t>(relative);
}

void Decoder::classify_one_byte() {
  const uint8_t op = d_.opcode;
  const uint8_t reg = (d_.modrm >> 3) & 7;
  if ((op & 0xf0) == 0x70 || (op >= 0xe0 && op <= 0xe3)) {
    set_target(InsnClass::branch);
  } else if (op == 0xe8) {
    set_target(InsnClass::call);
  } else if (op == 0xe9 || op == 0xeb) {
    set_target(InsnClass::jump);
  } else if (op == 0xff && (reg == 2 || reg == 3)) {
    d_.insn.kind = InsnClass::indirect_call;
  } else if (op == 0xff && (reg == 4 || reg == 5)) {
    d_.insn.kind = InsnClass::indirect_jump;
  } else if (op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0xcf) {
    d_.insn.kind = InsnClass::ret;
  } else if (op == 0xcc || op == 0xf1) {
    d_.insn.kind = InsnClass::breakpoint;
  } else if (op == 0xcd) {
    d_.insn.kind = InsnClass::syscall;
  } else if (op == 0xf4) {
    d_.insn.kind = InsnClass::trap;
  } else if (op == 0x90 && !d_.rex_b && !rep_) {
    d_.insn.kind = InsnClass::nop;
  } else if (op == 0xc7 && d_.modrm == 0xf8) {
    set_target(InsnClass::branch); // xbegin
  }
}

void Decoder::classify_two_byte() {
  const uint8_t op = d_.opcode;
  if ((op & 0xf0) == 0x80) {
    set_target(InsnClass::branch);
  } else if (op == 0x05 || op == 0x34) {
    d_.insn.kind = InsnClass::syscall;
  } else if (op == 0x0b || op == 0xb9 || op == 0xff) {
    d_.insn.kind = InsnClass::trap;
  } else if (op == 0x1e && rep_ && d_.modrm == 0xfa) {
    d_.insn.kind = InsnClass::landing_pad;
  } else if (op == 0x1f) {
    d_.insn.kind = InsnClass::nop;
  }
}

void Decoder::classify() {
  if (d_.insn.pc_relative) {
    int32_t disp = 0;
    std::memcpy(&disp, &bytes_[d_.disp_offset], 4);
    d_.insn.target = pc_ + d_.insn.length + static_cast<uint64_t>(int64_t{disp});
  }
  if (!d_.vex && d_.map == 0) {
    classify_one_byte();
  } else if (!d_.vex && d_.map == 1) {
    classify_two_byte();
  }
}

} // namespace

std::optional<Decoded> decode_full(std::span<const uint8_t> bytes, uint64_t pc) {
  return Decoder(bytes, pc).run();
}

std::optional<Insn> decode(std::span<const uint8_t> bytes, uint64_t pc) {
  const std::optional<Decoded> decoded = decode_full(bytes, pc);
  return decoded ? std::optional<Insn>(decoded->insn) : std::nullopt;
}

} // namespace bpfaot::targets::x86_64
