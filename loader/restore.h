// SPDX-License-Identifier: MIT
//
// Taking probes out of a process again, from the record of its sites alone: the loader that put them
// in may be gone.
#pragma once

#include "loader/live_space.h"
#include "loader/proc_maps.h"
#include "loader/registry.h"

#include <vector>

namespace bpfaot::loader {

// Puts the original bytes back wherever ours still are, under hold(). Sites that hold neither are
// left alone and counted. Functions that are active return as if they had never been probed.
Result<size_t> restore_sites(LiveSpace& space, const targets::Patcher& patcher, const std::vector<SitePatch>& patches);

bool is_runtime_mapping(const MapsEntry& entry);
// Of the runtime file that the sites lead to; 0 when the process has none of them.
uint64_t runtime_inode_of(const targets::Patcher& patcher, int pid, const std::vector<SitePatch>& patches);

} // namespace bpfaot::loader
