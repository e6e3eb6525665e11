// SPDX-License-Identifier: MIT
//
// Room near a site for a jump that does not fit into the site itself: bytes of the file's code that no
// function owns. Read only.
#pragma once

#include "loader/modules.h"
#include "loader/plan.h"

namespace bpfaot::loader {

// Sets the site's gap and gap_bytes. `planned` are the sites that have room already. [attach-short]
Status find_gap(AddressSpace& space, const Modules& modules, const targets::Patcher& patcher, const Module& module,
                const std::vector<PlannedSite>& planned, PlannedSite& site);

} // namespace bpfaot::loader
