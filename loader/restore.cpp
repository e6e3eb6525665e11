// SPDX-License-Identifier: MIT
//
// Removing jumps, and the memory behind them when no thread needs it any more. What is read of an
// arena is the process's word: everything is checked against its maps.
#include "loader/restore.h"

#include "bpfaot/abi.h"
#include "support/files.h"
#include "targets/arena.h"
#include "targets/patch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <optional>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;

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

struct Runtime { // a session's memory in a process
  bpfaot_arena arena{};
  bpfaot_thread_table table{};
  uint64_t words = 0; // behind the slots; kAbandonedOffset and kPatchedOffset count from here
};

Result<Runtime> read_runtime(LiveSpace& space, uint64_t arena) {
  Runtime runtime;
  runtime.arena = TRY(space.read_object<bpfaot_arena>(arena));
  runtime.table = TRY(space.read_object<bpfaot_thread_table>(runtime.arena.table));
  if (runtime.table.capacity_log2 > 20 || runtime.table.stride != sizeof(bpfaot_thread) ||
      runtime.arena.range_count > BPFAOT_ARENA_RANGES || runtime.arena.mapped_count > BPFAOT_ARENA_MAPPED) {
    return fail(Code::kProcessMemory, "the thread table of the process is damaged");
  }
  runtime.words = runtime.table.base + (runtime.table.stride << runtime.table.capacity_log2);
  return runtime;
}

// Slots whose first page the process has ever touched; all of them when the kernel does not say.
std::vector<uint64_t> touched_slots(LiveSpace& space, const bpfaot_thread_table& table) {
  const uint64_t count = uint64_t{1} << table.capacity_log2, pages = table.stride / kPage;
  std::vector<uint64_t> entries(count * pages), slots;
  UniqueFd fd(::open(("/proc/" + std::to_string(space.pid()) + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  const size_t size = entries.size() * sizeof entries[0];
  const bool known = fd.valid() && pread(fd.get(), entries.data(), size, static_cast<off_t>(table.base / kPage * 8)) == static_cast<ssize_t>(size);
  for (uint64_t slot = 0; slot < count; ++slot) {
    if (!known || (entries[slot * pages] >> 62) != 0) { // present or swapped out
      slots.push_back(table.base + slot * table.stride);
    }
  }
  return slots;
}

// Puts the return addresses of active probed calls back on their stacks: behind this nothing returns
// into an arena any more, and unwinders need no guard. The shadow stacks stay as they are: a thread
// that is just entering or leaving a trampoline needs its frame, and overwrites or never reads the
// stack word that is written here; other frames are recognised as left behind later. Of two frames with
// one place the older one was left behind, or has tail-called the other: the newest comes first.
//
// Where calls link in a register the place is not known, and a stack that no thread stands on (a
// coroutine's) is not searched by anybody: there a live frame is waited for.
struct Calls {
  bool run = false;   // a program of ours runs
  bool stay = false;  // one that was not released will come back
  bool any() const { return run || stay; }
};

Result<Calls> release_returns(LiveSpace& space, const targets::Patcher& patcher, const Runtime& runtime) {
  const bpfaot_arena& control = runtime.arena;
  const auto is_ours = [&](uint64_t address) {
    return std::any_of(control.ranges, control.ranges + control.range_count,
                       [&](const bpfaot_range& range) { return address - range.low < range.high - range.low; });
  };
  Calls calls;
  for (const uint64_t at : touched_slots(space, runtime.table)) {
    struct {
      uint64_t key;
      uint32_t depth, guard;
    } head;
    static_assert(offsetof(bpfaot_thread, depth) == 8 && offsetof(bpfaot_thread, guard) == 12);
    TRY(space.read(at, {reinterpret_cast<uint8_t*>(&head), sizeof head}));
    calls.run |= head.key != 0 && head.guard != 0;
    std::vector<bpfaot_frame> frames(head.key != 0 ? std::min<uint32_t>(head.depth, BPFAOT_FRAMES) : 0);
    if (frames.empty()) {
      continue;
    }
    TRY(space.read(at + offsetof(bpfaot_thread, frames),
                   {reinterpret_cast<uint8_t*>(frames.data()), frames.size() * sizeof frames[0]}));
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
      constexpr uint64_t kNoCall = 3; // free, taken; or swept (support_link.h): returns by itself
      if (patcher.links_in_register) {
        calls.stay |= (frame->sp & kNoCall) == 0 && frame->sp != 0;
        continue;
      }
      const Result<uint64_t> word = frame->sp > 1 ? space.read_object<uint64_t>(frame->sp) : Result<uint64_t>(uint64_t{0});
      if (word && is_ours(*word)) {
        TRY(space.write_object(frame->sp, frame->return_address));
      }
    }
  }
  return calls;
}

// Jumps that a thread may have begun. One in a gap between functions is entered from a site near by, and
// its bytes become padding, which must not be executed; one of several instructions may be half done.
// Such a thread goes on where the jump leads.
std::vector<CoveredCode> unfinished_jumps(const targets::Patcher& patcher, const std::vector<SitePatch>& patches) {
  std::vector<CoveredCode> jumps;
  for (const SitePatch& patch : patches) {
    const std::optional<uint64_t> target = patcher.jump_target(patch.patched, patch.address);
    const bool is_gap = std::any_of(patches.begin(), patches.end(), [&](const SitePatch& other) {
      return patcher.jump_target(other.patched, other.address) == patch.address;
    });
    std::vector<targets::MovedInsn> places;
    for (size_t at = 0; target && at < patch.patched.size();) {
      const std::optional<targets::Insn> insn =
          patcher.decode(std::span(patch.patched).subspan(at), patch.address + at);
      if (!insn) {
        break;
      }
      if (at != 0 || is_gap) {
        places.push_back({static_cast<uint8_t>(at), 0});
      }
      at += insn->length;
    }
    if (!places.empty()) {
      jumps.push_back({patch.address, static_cast<uint32_t>(patch.patched.size()), *target, std::move(places), is_gap});
    }
  }
  return jumps;
}

// What may be unmapped: page multiples that hold nothing but anonymous memory and memory files.
bool is_unmappable(const std::vector<MapsEntry>& maps, const bpfaot_range& range) {
  return range.low < range.high && range.low % kPage == 0 && range.high % kPage == 0 &&
         std::all_of(maps.begin(), maps.end(), [&](const MapsEntry& entry) {
           return entry.end <= range.low || entry.start >= range.high || entry.path.empty() ||
                  entry.path.rfind("/memfd:", 0) == 0;
         });
}

// All code that the session mapped.
std::vector<CodeRange> code_of(const std::vector<MapsEntry>& maps, const Runtime& runtime) {
  std::vector<CodeRange> code;
  for (uint64_t i = 0; i < runtime.arena.range_count; ++i) {
    code.push_back({runtime.arena.ranges[i].low, runtime.arena.ranges[i].high});
  }
  for (uint64_t i = 0; i < runtime.arena.mapped_count; ++i) {
    const bpfaot_range& range = runtime.arena.mapped[i];
    for (const MapsEntry& entry : maps) {
      if (entry.executable && entry.start >= range.low && entry.end <= range.high) {
        code.push_back({entry.start, entry.end});
      }
    }
  }
  return code;
}

// Of a held process: whether nobody can be or come back inside what the session mapped.
Result<bool> is_deserted(LiveSpace& space, const std::vector<MapsEntry>& maps, const Runtime& runtime) {
  for (uint64_t i = 0; i < runtime.arena.mapped_count; ++i) {
    if (!is_unmappable(maps, runtime.arena.mapped[i])) {
      return false;
    }
  }
  return runtime.arena.mapped_count != 0 && !TRY(space.refers_to(code_of(maps, runtime)));
}

Status unmap(LiveSpace& space, const Runtime& runtime) {
  std::vector<SystemCall> calls;
  for (uint64_t i = 0; i < runtime.arena.mapped_count; ++i) {
    SystemCall call;
    call.number = SYS_munmap;
    call.args = {runtime.arena.mapped[i].low, runtime.arena.mapped[i].high - runtime.arena.mapped[i].low};
    calls.push_back(call);
  }
  return TRY(space.system_calls(calls)).size() == calls.size() ? Status{} : Status(fail(Code::kInternal, "a call is missing"));
}

void pause_ms(long time) {
  const timespec pause{0, time * 1'000'000};
  nanosleep(&pause, nullptr);
}

} // namespace

bool is_runtime_mapping(const MapsEntry& entry) { return entry.path.find("memfd:bpf-aot") != std::string::npos; }

uint64_t runtime_inode_of(const targets::Patcher& patcher, int pid, const std::vector<SitePatch>& patches) {
  const Result<std::vector<MapsEntry>> maps = read_maps(pid);
  const uint64_t arena = maps ? arena_of(patcher, *maps, patches) : 0;
  return arena != 0 ? entry_at(*maps, arena)->inode : 0;
}

// The last written first: guards of unwinders outlive the return probes that need them.
Result<size_t> write_originals(LiveSpace& space, const std::vector<SitePatch>& patches, bool guards) {
  size_t foreign = 0;
  for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
    if (patch->is_guard && !guards) {
      continue;
    }
    std::vector<uint8_t> now(patch->patched.size());
    if (!space.read(patch->address, now)) {
      continue; // the library is gone
    }
    if (now == patch->patched) {
      TRY(space.write(patch->address, patch->original));
    } else if (now != patch->original) {
      ++foreign;
    }
  }
  return foreign;
}

Result<Restored> restore_sites(LiveSpace& space, const targets::Patcher& patcher, const std::vector<SitePatch>& patches) {
  constexpr int kGapRounds = 200, kRounds = 10;
  const bool any_guards = patcher.links_in_register &&
                          std::any_of(patches.begin(), patches.end(), [](const SitePatch& patch) { return patch.is_guard; });
  Restored restored;
  const std::vector<CoveredCode> jumps = unfinished_jumps(patcher, patches);
  for (int round = 0;; ++round) {
    TRY(space.hold());
    const std::vector<Leave> verdicts = jumps.empty() ? std::vector<Leave>{} : TRY(space.leave(jumps));
    if (std::find(verdicts.begin(), verdicts.end(), Leave::busy) == verdicts.end()) {
      break;
    }
    if (round == kGapRounds) {
      return fail(Code::kAttachBusy, "a thread is about to execute a jump of the probe (in a signal handler's caller) and does not");
    }
    space.release(true);
    pause_ms(2);
  }
  for (int round = 0;; ++round) {
    const std::vector<MapsEntry> maps = TRY(space.mapped());
    const uint64_t arena = arena_of(patcher, maps, patches);
    if (arena == 0) {
      restored.foreign = TRY(write_originals(space, patches, true));
      break;
    }
    const Runtime runtime = TRY(read_runtime(space, arena));
    const Calls calls = TRY(release_returns(space, patcher, runtime));
    restored.guards_stay = any_guards && (calls.stay || TRY(space.executes(code_of(maps, runtime))));
    restored.foreign = TRY(write_originals(space, patches, !restored.guards_stay));
    if (!restored.guards_stay) {
      (void)space.write_object(runtime.words + kAbandonedOffset, kAbandoned);
    }
    if (restored.foreign == 0 && !restored.guards_stay && !calls.any() && TRY(is_deserted(space, maps, runtime))) {
      space.release(true);
      TRY(unmap(space, runtime));
      restored.unmapped = true;
      break;
    }
    if (round == kRounds || restored.foreign != 0) {
      break;
    }
    space.release(true);
    pause_ms(1L << std::min(round, 5));
    TRY(space.hold());
  }
  space.release();
  return restored;
}

Result<std::vector<MapsEntry>> sweep_abandoned(LiveSpace& space, const targets::Patcher& patcher) {
  std::vector<MapsEntry> maps = TRY(read_maps(space.pid()));
  std::vector<Runtime> gone, abandoned;
  for (const MapsEntry& entry : maps) {
    if (!is_runtime_mapping(entry) || !entry.shared || entry.executable || entry.offset != 0) {
      continue;
    }
    const Result<Runtime> runtime = read_runtime(space, entry.start + kRuntimeControl);
    uint64_t words[2] = {};
    static_assert(kPatchedOffset == kAbandonedOffset + 8);
    if (!runtime || !space.read(runtime->words + kAbandonedOffset, {reinterpret_cast<uint8_t*>(words), sizeof words})) {
      continue;
    }
    if (words[0] == kAbandoned) {
      abandoned.push_back(*runtime);
    } else if (words[1] == 0 && (runtime->arena.armed & BPFAOT_DISARMED) != 0 &&
               std::all_of(runtime->arena.mapped, runtime->arena.mapped + runtime->arena.mapped_count,
                           [&](const bpfaot_range& range) { return is_unmappable(maps, range); })) {
      gone.push_back(*runtime); // no jump ever led there
    }
  }
  if (gone.empty() && abandoned.empty()) {
    return maps;
  }
  for (const Runtime& runtime : gone) {
    TRY(unmap(space, runtime));
  }
  if (!abandoned.empty()) {
    TRY(space.hold());
    std::vector<Runtime> deserted;
    for (const Runtime& runtime : abandoned) {
      if (!TRY(release_returns(space, patcher, runtime)).any() && TRY(is_deserted(space, maps, runtime))) {
        deserted.push_back(runtime);
      }
    }
    space.release(true);
    for (const Runtime& runtime : deserted) {
      TRY(unmap(space, runtime));
    }
  }
  space.release();
  return read_maps(space.pid());
}

} // namespace bpfaot::loader
