// SPDX-License-Identifier: MIT
//
// What a program of each kind may read of its context, in the layout that the object was compiled
// for.
#pragma once

#include "bpf/program.h"
#include "targets/target.h"
#include "verifier/verifier.h"

namespace bpfaot::aotc {

// Kinds that can run in a process.
bool is_supported(const bpf::SectionInfo& kind);
// BPFAOT_KIND_* of include/bpfaot/abi.h.
uint32_t image_kind(const bpf::SectionInfo& kind);
// Whether the context begins with the registers of a machine: BPFAOT_KIND_*.
bool has_registers(uint32_t image_kind);
// Null when the object does not tell.
// When such a program looks at registers.
targets::RegMoment moment_of(const bpf::SectionInfo& kind);
const targets::Target* machine_of(bpf::CtxMachine machine);
// When the machine of a probe is not known, any aligned access is allowed here, and a program that
// makes one is refused with [ctx-arch-unknown] afterwards.
verifier::CtxLayout context_layout(const bpf::SectionInfo& kind, bpf::CtxMachine machine);

} // namespace bpfaot::aotc
