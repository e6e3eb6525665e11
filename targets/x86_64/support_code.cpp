// SPDX-License-Identifier: MIT
//
// Where support.c ended up in this program, and where its entries are. Other machines' builds have
// no copy: they cannot attach to x86_64 processes anyway.
#include "targets/x86_64/patch.h"

#include "bpfaot/abi.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bpfaot::targets::x86_64 {

#if defined(__x86_64__)

extern "C" {
extern const uint8_t __start_bpfaot_support[] __attribute__((visibility("hidden")));
extern const uint8_t __stop_bpfaot_support[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_push_entry[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_pop_entry[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_sweep_entry[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_batch_entry[] __attribute__((visibility("hidden")));
}

SupportCode support() {
  const auto offset = [](const uint8_t* entry) {
    return static_cast<uint32_t>(entry - __start_bpfaot_support);
  };
  return {{__start_bpfaot_support, __stop_bpfaot_support}, offset(bpfaot_push_entry),
          offset(bpfaot_pop_entry), offset(bpfaot_sweep_entry), offset(bpfaot_batch_entry)};
}

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
