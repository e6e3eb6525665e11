// SPDX-License-Identifier: MIT
//
// Taking probes out of a process again, from the record of its sites alone: the loader that put them
// in may be gone. Code is restored under LiveSpace::hold(), each site by one write; functions that are
// active return as if they had never been probed.
//
// Where calls link in a register the return addresses of active calls cannot be put back from outside:
// while there are any, the guards of unwinders stay patched (docs/adr/0020).
//
// What was mapped goes too as soon as that is certain: no thread's registers or stack hold an address
// in a trampoline or the image, no guarded program runs. Until then it stays, marked as abandoned in
// the process's own memory (so a child forked earlier is not taken for restored), and every later
// attachment and detachment looks again.
#pragma once

#include "loader/live_space.h"
#include "loader/proc_maps.h"
#include "loader/registry.h"

#include <vector>

namespace bpfaot::loader {

// Where the runtime file's first page has a struct bpfaot_arena of its own, which says what is mapped as
// soon as something is. Two words of the process's own memory, behind the thread slots, say what became
// of it.
constexpr uint64_t kRuntimeControl = 2048;
constexpr uint64_t kAbandonedOffset = 1024; // all code is restored
constexpr uint64_t kPatchedOffset = 1032;   // code was changed, or was about to be
constexpr uint64_t kAbandoned = 0x6e776f6e6b6e6f6eull; // the value of the first

struct Restored {
  size_t foreign = 0;    // sites that hold neither our bytes nor the original ones, left alone
  bool unmapped = false; // nothing of ours is left in the process
  bool guards_stay = false; // a call with a return probe is active, or about to be
};

Result<Restored> restore_sites(LiveSpace& space, const targets::Patcher& patcher, const std::vector<SitePatch>& patches);

// Of a held process: writes the original bytes back wherever ours still are; how many sites hold
// neither. Unwinders' only when `guards` says so.
Result<size_t> write_originals(LiveSpace& space, const std::vector<SitePatch>& patches, bool guards = true);

// Unmaps what earlier sessions abandoned in the process, as far as that is certain now, and what those
// mapped whose loader died before it changed any code. Gives what the process has mapped then.
Result<std::vector<MapsEntry>> sweep_abandoned(LiveSpace& space, const targets::Patcher& patcher);

bool is_runtime_mapping(const MapsEntry& entry);
// Of the runtime file that the sites lead to; 0 when the process has none of them.
uint64_t runtime_inode_of(const targets::Patcher& patcher, int pid, const std::vector<SitePatch>& patches);

} // namespace bpfaot::loader
