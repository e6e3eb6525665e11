// SPDX-License-Identifier: MIT
//
// What the context of each kind of program looks like to the program.
#pragma once

#include "bpf/section.h"
#include "verifier/verifier.h"

#include <cstdint>
#include <string>

namespace bpfaot::verifier {

// `registers_name` and `registers_size` describe struct pt_regs of the machine that the object was
// compiled for (targets/ knows them); they are used for the kinds whose context it is. A kind
// without a known context gets size 0: no access is allowed.
CtxLayout ctx_layout(const bpf::SectionInfo& kind, std::string registers_name,
                     uint32_t registers_size);

} // namespace bpfaot::verifier
