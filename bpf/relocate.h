// SPDX-License-Identifier: MIT
//
// What one relocation makes of one instruction.
#pragma once

#include "bpf/object.h"

namespace bpfaot::bpf {

struct Relocated {
  Insn insn;
  std::optional<uint32_t> callee; // index into Object::code: CallLocal, LoadImm64 of kind func
  bool poisoned = false;
};

// The instruction at `slot` of an ELF section, with its relocation applied when it has one. The
// callee of a local call is found with and without relocation.
Result<Relocated> relocate(const Object& object, uint32_t section, uint32_t slot, const Insn& insn);

} // namespace bpfaot::bpf
