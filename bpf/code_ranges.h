// SPDX-License-Identifier: MIT
//
// Functions of the executable sections.
#pragma once

#include "bpf/object.h"

namespace bpfaot::bpf {

// Fills object.code from symbols, BTF and calls. Needs sections, symbols, BTF and BTF.ext.
Status find_code_ranges(Object& object);

} // namespace bpfaot::bpf
