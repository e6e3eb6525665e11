// SPDX-License-Identifier: MIT
//
// Which registers an instruction reads and writes, as bit sets (bit n = rn).
#pragma once

#include "bpf/insn.h"

#include <cstdint>

namespace bpfaot::verifier {

struct Effects {
  uint16_t uses = 0, defs = 0;
};

// Calls define r0 to r5. A helper uses as many arguments as it has; a local call uses none here
// (what its callee reads is the caller's question); exit uses r0.
Effects effects_of(const bpf::Insn& insn);

// The one register that holds the instruction's result, or -1.
int result_register(const bpf::Insn& insn);

} // namespace bpfaot::verifier
