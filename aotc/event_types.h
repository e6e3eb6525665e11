// SPDX-License-Identifier: MIT
//
// What the records of ring buffers and perf event arrays are: found at compile time from what the
// verifier saw being handed over and from the object's debug information.
#pragma once

#include "aotc/btf_types.h"
#include "bpf/object.h"
#include "verifier/verifier.h"

#include <span>
#include <vector>

namespace bpfaot::aotc {

// One row per map, size and type. A record whose type is not known has no row. The order of the
// sources: a local variable in DWARF, then a struct of that size in BTF.
std::vector<bpfaot_event> find_events(const bpf::Object& object,
                                      std::span<const verifier::VerifiedProgram> programs,
                                      BtfTypes& btf, TypeTable& table);

} // namespace bpfaot::aotc
