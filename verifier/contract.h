// SPDX-License-Identifier: MIT
//
// What a global function promises and demands by its prototype alone. The kernel verifies such a
// function once, for any arguments of its types, and looks at its callers only for whether they
// pass such arguments. The types are those of the object; declaration tags ("arg:ctx",
// "arg:nonnull" of libbpf's __arg_ctx and __arg_nonnull) say more about a parameter.
#pragma once

#include "bpf/program.h"
#include "support/result.h"

#include <cstdint>
#include <vector>

namespace bpfaot::verifier {

enum class Pass : uint8_t { scalar, ctx, memory, dynptr };

struct Parameter {
  Pass pass = Pass::scalar;
  uint32_t size = 0;       // memory: bytes that may be read and written
  bool maybe_null = false; // memory
};

// By parameter, at most five. The result is a number. A failure has no place in the program.
// [global-function] [unsupported-global-arg]
Result<std::vector<Parameter>> contract_of(const bpf::Program& program, bpf::FuncId function);

} // namespace bpfaot::verifier
