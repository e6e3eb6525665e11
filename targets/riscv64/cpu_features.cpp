// SPDX-License-Identifier: MIT
#include "targets/riscv64/cpu_features.h"

#if defined(__riscv)
#include <unistd.h>
#endif

namespace bpfaot::targets::riscv64 {

uint64_t cpu_features() {
  uint64_t features = 0;
#if defined(__riscv)
  constexpr long kProbeCall = 258;
  struct {
    int64_t key;
    uint64_t value;
  } extensions = {4, 0}; // IMA_EXT_0
  if (syscall(kProbeCall, &extensions, 1ul, 0ul, nullptr, 0u) == 0 && extensions.key == 4) {
    features |= (extensions.value >> 3 & 1) != 0 ? BPFAOT_CPUFEAT_RISCV64_ZBA : 0;
    features |= (extensions.value >> 4 & 1) != 0 ? BPFAOT_CPUFEAT_RISCV64_ZBB : 0;
    features |= (extensions.value >> 5 & 1) != 0 ? BPFAOT_CPUFEAT_RISCV64_ZBS : 0;
    features |= (extensions.value >> 35 & 1) != 0 ? BPFAOT_CPUFEAT_RISCV64_ZICOND : 0;
  }
#endif
  return features;
}

} // namespace bpfaot::targets::riscv64
