// SPDX-License-Identifier: MIT
//
// The machines there are. Only target.cpp and the machines' own folders include this: everybody
// else asks target.h.
#pragma once

#include "targets/target.h"

namespace bpfaot::targets {

extern const Target kX86_64;
extern const Target kAarch64;
extern const Target kRiscv64;

} // namespace bpfaot::targets
