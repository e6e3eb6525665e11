// SPDX-License-Identifier: MIT
//
// Features of aarch64 processors that compiled programs gain from, and which of them this one has:
// Documentation/arch/arm64/elf_hwcaps.rst. Scalable vectors are left out: the worst-case stack of code
// that spills them is not known when it is compiled.
#pragma once

#include "targets/target.h"

#include <bpfaot/abi.h>

namespace bpfaot::targets::aarch64 {

inline constexpr FeatureRow kFeatures[] = {
    {"lse", BPFAOT_CPUFEAT_AARCH64_LSE, 0, false, "atomics in one instruction (ARMv8.1)"},
    {"rcpc", BPFAOT_CPUFEAT_AARCH64_RCPC, 0, false, "cheaper load-acquire (ARMv8.3)"},
    {"cssc", BPFAOT_CPUFEAT_AARCH64_CSSC, 0, false, "minimum, maximum, number of bits (ARMv8.9)"},
    {"dotprod", BPFAOT_CPUFEAT_AARCH64_DOTPROD, 0, true, "sums of products in vectors"},
};

uint64_t cpu_features(); // nothing, built for another machine

} // namespace bpfaot::targets::aarch64
