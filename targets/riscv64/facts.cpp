// SPDX-License-Identifier: MIT
//
// What a riscv64 process may use, and the support code of this machine's builds.
#include "targets/riscv64/patch.h"
#include "targets/support_code.h"

#include "bpfaot/abi.h"

namespace bpfaot::targets::riscv64 {

#if defined(__riscv)
SupportCode support() { return host_support(); }
#else
SupportCode support() { return {}; }
#endif

// The thread pointer is a register like others; no instruction tells the CPU's number.
ProcessFacts facts(uint64_t) { return {BPFAOT_CPU_SYSCALL, BPFAOT_THREAD_REGISTER, true}; }

} // namespace bpfaot::targets::riscv64
