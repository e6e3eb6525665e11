// SPDX-License-Identifier: MIT
//
// What the x86_64 processor this runs on allows, and the support code of this machine's builds.
#include "targets/support_code.h"
#include "targets/x86_64/patch.h"

#include "bpfaot/abi.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bpfaot::targets::x86_64 {

#if defined(__x86_64__)

SupportCode support() { return host_support(); }

ProcessFacts facts(uint64_t hwcap2) {
  ProcessFacts facts;
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool rdpid = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 22 & 1) != 0;
  facts.cpu_method = rdpid ? BPFAOT_CPU_RDPID : BPFAOT_CPU_SYSCALL;
  facts.fast_thread_pointer = (hwcap2 & 2) != 0; // the kernel allows rdfsbase
  facts.thread_method = facts.fast_thread_pointer ? BPFAOT_THREAD_REGISTER : BPFAOT_THREAD_SYSCALL;
  return facts;
}

#else

SupportCode support() { return {}; }
ProcessFacts facts(uint64_t) { return {}; }

#endif

} // namespace bpfaot::targets::x86_64
