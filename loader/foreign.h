// SPDX-License-Identifier: MIT
//
// Probes of other machines: the bpf-aot of that machine under qemu-user.
#pragma once

#include "support/result.h"
#include "targets/target.h"

#include <string>
#include <vector>

namespace bpfaot::loader {

// Becomes `qemu-ARCH LIBDIR/bpf-aot/ARCH/bpf-aot arguments…`; returns only to say why not.
// [foreign-loader]
Failure exec_foreign(const targets::Target& target, const std::vector<std::string>& arguments);

// The emulator of user programs that runs this process, "" when the processor does.
std::string emulator_path();

} // namespace bpfaot::loader
