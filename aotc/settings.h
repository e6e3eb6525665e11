// SPDX-License-Identifier: MIT
//
// What the user fixes while compiling: constants of the object (--set) and the configuration of the
// kernel that it asks for (--kconfig). The verifier knows these values, so code that they make
// unreachable is gone.
#pragma once

#include "bpf/object.h"
#include "support/value.h"

#include <span>

namespace bpfaot::aotc {

// Writes the values into the object's .rodata. [variable-unknown] names the nearest and the known
// ones, [variable-value] says what the type needs, [variable-fixed] that it is no constant.
Status apply_settings(bpf::Object& object, std::span<const Setting> settings);

// The same for externs of .kconfig, whose values are y, n and m, numbers or texts, as in a kernel's
// .config. What is given is fixed, and so is every CONFIG_… that is not: 0. LINUX_… is otherwise the
// loader's to say.
Status apply_configuration(bpf::Object& object, std::span<const Setting> settings);

} // namespace bpfaot::aotc
