// SPDX-License-Identifier: MIT
//
// The machine that processes run on, which is this one.
#pragma once

#include "support/result.h"
#include "targets/patch.h"

namespace bpfaot::loader {

// How its code is patched. [attach-machine] when its pages are not of 4 KiB, which all placing of memory
// here counts on.
Result<const targets::Patcher*> host_patcher();

} // namespace bpfaot::loader
