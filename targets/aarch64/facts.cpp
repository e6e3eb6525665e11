// SPDX-License-Identifier: MIT
//
// What an aarch64 process may use. User space always reads its thread pointer; the CPU number comes
// from the system call, since there is no register for it.
#include "targets/aarch64/patch.h"
#include "targets/support_code.h"

#include "bpfaot/abi.h"

namespace bpfaot::targets::aarch64 {

#if defined(__aarch64__)
SupportCode support() { return host_support(); }
#else
SupportCode support() { return {}; }
#endif

ProcessFacts facts(uint64_t) {
  return {.cpu_method = BPFAOT_CPU_SYSCALL, .thread_method = BPFAOT_THREAD_REGISTER, .fast_thread_pointer = true};
}

} // namespace bpfaot::targets::aarch64
