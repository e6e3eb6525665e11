// SPDX-License-Identifier: MIT
//
// What an aarch64 process may use. User space always reads its thread pointer; the CPU number comes
// from the system call, since there is no register for it.
#include "targets/aarch64/patch.h"
#include "targets/support_code.h"

#include "bpfaot/abi.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bpfaot::targets::aarch64 {

#if defined(__aarch64__)
SupportCode support() { return host_support(); }
bool signs_returns() { return (getauxval(AT_HWCAP) & HWCAP_PACA) != 0; } // all processes of a machine may
#else
SupportCode support() { return {}; }
bool signs_returns() { return false; }
#endif

ProcessFacts facts(uint64_t) {
  return {.cpu_method = BPFAOT_CPU_SYSCALL,
          .thread_method = BPFAOT_THREAD_REGISTER,
          .fast_thread_pointer = true,
          .signs_returns = signs_returns()};
}

} // namespace bpfaot::targets::aarch64
