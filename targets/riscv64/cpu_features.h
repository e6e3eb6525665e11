// SPDX-License-Identifier: MIT
//
// Extensions of riscv64 processors that compiled programs gain from, and which of them all processors
// here have: Documentation/arch/riscv/hwprobe.rst. Kernels before 6.4 do not tell, and then there are
// none. Vectors are left out: the worst-case stack of code that spills them is not known when it is
// compiled.
#pragma once

#include "targets/target.h"

#include <bpfaot/abi.h>

namespace bpfaot::targets::riscv64 {

inline constexpr FeatureRow kFeatures[] = {
    {"zba", BPFAOT_CPUFEAT_RISCV64_ZBA, 0, false, "addresses: shift and add"},
    {"zbb", BPFAOT_CPUFEAT_RISCV64_ZBB, 0, false, "rotations, byte order, minimum, number of bits"},
    {"zbs", BPFAOT_CPUFEAT_RISCV64_ZBS, 0, false, "single bits"},
    {"zicond", BPFAOT_CPUFEAT_RISCV64_ZICOND, 0, false, "conditional zero"},
};

uint64_t cpu_features(); // nothing, built for another machine

} // namespace bpfaot::targets::riscv64
