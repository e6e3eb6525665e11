// SPDX-License-Identifier: MIT
//
// Removing jumps. Threads inside trampolines stay there and finish: those are never unmapped.
#include "loader/restore.h"

#include "bpfaot/abi.h"
#include "targets/arena.h"
#include "targets/patch.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace bpfaot::loader {
namespace {

// The arena that a site's jump leads into, found in the process itself, so that a session whose
// loader was killed can be taken out too. 0 = not there.
uint64_t arena_of(const targets::Patcher& patcher, const std::vector<MapsEntry>& maps, const std::vector<SitePatch>& patches) {
  for (const SitePatch& patch : patches) {
    const std::optional<uint64_t> target = patcher.jump_target(patch.patched, patch.address);
    const MapsEntry* entry = target ? entry_at(maps, *target) : nullptr;
    if (entry != nullptr && is_runtime_mapping(*entry)) {
      return entry->start;
    }
  }
  return 0;
}

// Puts the return addresses of active probed calls back on their stacks: behind this nothing returns
// into an arena any more, and unwinders need no guard. The shadow stacks stay as they are: a thread
// that is just entering or leaving a trampoline needs its frame, and overwrites or never reads the
// stack word that is written here; other frames are recognised as left behind later.
Status release_returns(LiveSpace& space, uint64_t arena) {
  const bpfaot_arena control = TRY(space.read_object<bpfaot_arena>(arena));
  const bpfaot_thread_table table = TRY(space.read_object<bpfaot_thread_table>(control.table));
  if (table.capacity_log2 > 20 || table.stride != sizeof(bpfaot_thread) || control.range_count > BPFAOT_ARENA_RANGES) {
    return fail(Code::kProcessMemory, "the thread table of the process is damaged");
  }
  const auto is_ours = [&](uint64_t address) {
    return std::any_of(control.ranges, control.ranges + control.range_count,
                       [&](const bpfaot_range& range) { return address - range.low < range.high - range.low; });
  };
  for (uint64_t slot = 0; slot < uint64_t{1} << table.capacity_log2; ++slot) {
    const uint64_t at = table.base + slot * table.stride;
    const uint64_t key = TRY(space.read_object<uint64_t>(at));
    const uint32_t depth = key != 0 ? TRY(space.read_object<uint32_t>(at + offsetof(bpfaot_thread, depth))) : 0;
    std::vector<bpfaot_frame> frames(std::min<uint32_t>(depth, BPFAOT_FRAMES));
    if (frames.empty()) {
      continue;
    }
    TRY(space.read(at + offsetof(bpfaot_thread, frames),
                     {reinterpret_cast<uint8_t*>(frames.data()), frames.size() * sizeof frames[0]}));
    for (const bpfaot_frame& frame : frames) {
      const Result<uint64_t> word = frame.sp > 1 ? space.read_object<uint64_t>(frame.sp) : Result<uint64_t>(uint64_t{0});
      if (word && is_ours(*word)) {
        TRY(space.write_object(frame.sp, frame.return_address));
      }
    }
  }
  return {};
}

} // namespace

bool is_runtime_mapping(const MapsEntry& entry) { return entry.path.find("memfd:bpf-aot") != std::string::npos; }

uint64_t runtime_inode_of(const targets::Patcher& patcher, int pid, const std::vector<SitePatch>& patches) {
  const Result<std::vector<MapsEntry>> maps = read_maps(pid);
  const uint64_t arena = maps ? arena_of(patcher, *maps, patches) : 0;
  return arena != 0 ? entry_at(*maps, arena)->inode : 0;
}

Result<size_t> restore_sites(LiveSpace& space, const targets::Patcher& patcher, const std::vector<SitePatch>& patches) {
  TRY(space.hold());
  const std::vector<MapsEntry> maps = TRY(read_maps(space.pid()));
  if (const uint64_t arena = arena_of(patcher, maps, patches)) {
    TRY(release_returns(space, arena));
  }
  size_t foreign = 0;
  for (const SitePatch& patch : patches) {
    std::vector<uint8_t> now(patch.patched.size());
    if (!space.read(patch.address, now)) {
      continue; // the library is gone
    }
    if (now == patch.patched) {
      TRY(space.write(patch.address, patch.original));
    } else if (now != patch.original) {
      ++foreign;
    }
  }
  space.release();
  return foreign;
}

} // namespace bpfaot::loader
