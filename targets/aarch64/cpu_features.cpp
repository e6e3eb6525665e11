// SPDX-License-Identifier: MIT
#include "targets/aarch64/cpu_features.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bpfaot::targets::aarch64 {

uint64_t cpu_features() {
  uint64_t features = 0;
#if defined(__aarch64__)
  constexpr uint64_t kAtomics = 1 << 8, kLrcpc = 1 << 15, kDotprod = 1 << 20, kCssc = 1ull << 34;
  const uint64_t first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
  features |= (first & kAtomics) != 0 ? BPFAOT_CPUFEAT_AARCH64_LSE : 0;
  features |= (first & kLrcpc) != 0 ? BPFAOT_CPUFEAT_AARCH64_RCPC : 0;
  features |= (first & kDotprod) != 0 ? BPFAOT_CPUFEAT_AARCH64_DOTPROD : 0;
  features |= (second & kCssc) != 0 ? BPFAOT_CPUFEAT_AARCH64_CSSC : 0;
#endif
  return features;
}

} // namespace bpfaot::targets::aarch64
