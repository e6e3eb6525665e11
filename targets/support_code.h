// SPDX-License-Identifier: MIT
//
// Where the support code of the machine that this program runs on lies. Other machines have no copy
// here: their processes cannot be attached to from here anyway.
#pragma once

#include "targets/patch.h"

namespace bpfaot::targets {

SupportCode host_support();

} // namespace bpfaot::targets
