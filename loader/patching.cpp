// SPDX-License-Identifier: MIT
//
// Writing and removing jumps in a stopped process. While every thread is stopped the order of the
// bytes does not matter; where the threads are does. A thread that stands inside the bytes to be
// replaced goes on at the moved instruction that corresponds to its own; one whose place has no
// counterpart is stepped out first. Threads inside trampolines stay there: those are never unmapped.
#include "loader/inject.h"

#include "support/hex.h"
#include "targets/arena.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace bpfaot::loader {

Result<Attachment::NewSite> Attachment::make_site(const Image& image, const PlannedSite& site, Arena& arena) {
  const uint64_t used = arena.used;
  uint64_t next = (arena.used + 15) & ~uint64_t{15};
  const auto room = [&](uint64_t bytes) { return next + bytes <= arena.size; };
  targets::TrampolineRequest request;
  request.probe_pc = site.address;
  request.cover = site.cover;
  request.original = site.original;
  request.sweeps = site.sweeps;
  request.thread_base = threads_;
  request.thread_capacity_log2 = capacity_log2_;
  request.support = arena.base + BPFAOT_ARENA_SUPPORT;
  request.has_fast_thread_pointer = facts_.fast_thread_pointer;
  for (const PlannedProgram& planned : site.programs) {
    const bpfaot_program& program = image.programs()[planned.program];
    targets::ProbeCall call;
    call.entry = image_base_ + image.entry_address(program);
    call.ctx_reads = (program.flags & BPFAOT_PROG_CTX_ESCAPES) != 0 ? ~uint64_t{0} : program.ctx_reads;
    call.clobbers = (program.flags & BPFAOT_PROG_PRESERVES) != 0 ? program.clobbers : ~uint64_t{0};
    call.needs_site = (program.flags & BPFAOT_PROG_NEEDS_SITE) != 0;
    if (call.needs_site) {
      if (!room(sizeof(bpfaot_site))) {
        return fail(Code::kAttachReach, "the arena near " + hex(site.address) + " is full");
      }
      const bpfaot_site data{site.address, planned.cookie, 0, 1, planned.program};
      std::memcpy(arena.local.data() + next, &data, sizeof data);
      call.site = arena.base + next;
      next += sizeof data;
    }
    (planned.is_return ? request.at_return : request.at_entry).push_back(call);
  }
  next = (next + 31) & ~uint64_t{31};
  request.pc = arena.base + next;
  targets::Trampoline trampoline = TRY(patcher_->make_trampoline(request));
  if (!room(trampoline.bytes.size())) {
    arena.used = used;
    return fail(Code::kAttachReach, "the arena near " + hex(site.address) + " is full");
  }
  std::memcpy(arena.local.data() + next, trampoline.bytes.data(), trampoline.bytes.size());
  NewSite made;
  made.patch.address = site.cover.patch_pc;
  if (site.gap != 0) {
    made.gap.address = site.gap;
    made.gap.original = site.gap_bytes;
    made.gap.patched = TRY(patcher_->encode_jump(site.gap, request.pc));
    made.patch.patched = TRY(patcher_->encode_short_jump(site.cover.patch_pc, site.gap));
  } else {
    made.patch.patched = TRY(patcher_->encode_jump(site.cover.patch_pc, request.pc));
  }
  made.patch.original.assign(site.original.begin(), site.original.begin() + static_cast<ptrdiff_t>(made.patch.patched.size()));
  made.covered = site.cover.size;
  made.trampoline = request.pc;
  made.moved = std::move(trampoline.moved);
  arena.used = next + trampoline.bytes.size();
  return made;
}

// [attach-bytes]
Status Attachment::move_threads(Process& process, const NewSite& site) {
  constexpr int kSteps = 64;
  for (size_t i = 0; i < process.threads().size(); ++i) {
    const int tid = process.threads()[i].tid;
    for (int step = 0;; ++step) {
      RegisterBytes registers = TRY(process.registers(tid));
      const uint64_t offset = process.pc(registers) - site.patch.address;
      if (offset == 0 || offset >= site.covered) {
        break;
      }
      const auto found = std::find_if(site.moved.begin(), site.moved.end(),
                                      [&](const targets::MovedInsn& insn) { return insn.from == offset; });
      if (found != site.moved.end()) {
        process.set_pc(registers, site.trampoline + found->to);
        is_entered_ = true;
        TRY(process.set_registers(tid, registers));
        break;
      }
      if (step == kSteps) {
        return fail(Code::kAttachBytes, "thread " + std::to_string(tid) + " stands inside an instruction at " +
                                            hex(process.pc(registers)));
      }
      TRY(process.step(tid));
    }
  }
  return {};
}

Status Attachment::write_site(Process& process, const NewSite& site) {
  TRY(move_threads(process, site));
  if (!site.gap.patched.empty()) {
    TRY(write_patch(process, site.gap));
  }
  return write_patch(process, site.patch);
}

// Only over the bytes that are expected, and read back. What is written is to be restored.
Status Attachment::write_patch(Process& process, const SitePatch& patch) {
  std::vector<uint8_t> now(patch.original.size());
  TRY(process.read(patch.address, now));
  if (now != patch.original) {
    return fail(Code::kAttachBytes, "the code at " + hex(patch.address) + " has changed since it was looked at");
  }
  TRY(process.write(patch.address, patch.patched));
  patches_.push_back(patch);
  TRY(process.read(patch.address, now));
  if (now != patch.patched) {
    return fail(Code::kAttachBytes, "the code at " + hex(patch.address) + " did not take the jump");
  }
  return {};
}

Status Attachment::patch(Process& process, const Image& image, Plan& plan) {
  std::vector<NewSite> made;
  for (const PlannedSite& site : plan.sites) {
    Arena* arena = TRY(arena_for(process, site.cover.patch_pc, plan.sites.size()));
    Result<NewSite> one = make_site(image, site, *arena);
    if (one) {
      made.push_back(std::move(*one));
      continue;
    }
    if (site.sweeps) { // without this unwinder's guard no return probe would be safe
      return std::move(one).take_error();
    }
    for (PlanRow& row : plan.rows) {
      if (row.address == site.address && !row.refusal) {
        row.refusal = one.error();
      }
    }
  }
  const size_t before = patches_.size();
  for (const NewSite& site : made) {
    Status written = write_site(process, site);
    if (!written) {
      (void)restore_sites(process, *patcher_, {patches_.begin() + static_cast<ptrdiff_t>(before), patches_.end()});
      patches_.resize(before);
      return written;
    }
  }
  return {};
}

namespace {

// The arena that a site's jump leads into, found in the process itself, so that a session whose
// loader was killed can be taken out too. 0 = not there.
uint64_t arena_of(const targets::Patcher& patcher, const std::vector<MapsEntry>& maps, const std::vector<SitePatch>& patches) {
  for (const SitePatch& patch : patches) {
    const std::optional<targets::Insn> jump = patcher.decode(patch.patched, patch.address);
    const MapsEntry* entry = jump && jump->has_target ? entry_at(maps, jump->target) : nullptr;
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
Status release_returns(Process& process, uint64_t arena) {
  const bpfaot_arena control = TRY(process.read_object<bpfaot_arena>(arena));
  const bpfaot_thread_table table = TRY(process.read_object<bpfaot_thread_table>(control.table));
  if (table.capacity_log2 > 20 || table.stride != sizeof(bpfaot_thread) || control.range_count > BPFAOT_ARENA_RANGES) {
    return fail(Code::kProcessMemory, "the thread table of the process is damaged");
  }
  const auto is_ours = [&](uint64_t address) {
    return std::any_of(control.ranges, control.ranges + control.range_count,
                       [&](const bpfaot_range& range) { return address - range.low < range.high - range.low; });
  };
  for (uint64_t slot = 0; slot < uint64_t{1} << table.capacity_log2; ++slot) {
    const uint64_t at = table.base + slot * table.stride;
    const uint64_t key = TRY(process.read_object<uint64_t>(at));
    const uint32_t depth = key != 0 ? TRY(process.read_object<uint32_t>(at + offsetof(bpfaot_thread, depth))) : 0;
    std::vector<bpfaot_frame> frames(std::min<uint32_t>(depth, BPFAOT_FRAMES));
    if (frames.empty()) {
      continue;
    }
    TRY(process.read(at + offsetof(bpfaot_thread, frames),
                     {reinterpret_cast<uint8_t*>(frames.data()), frames.size() * sizeof frames[0]}));
    for (const bpfaot_frame& frame : frames) {
      const Result<uint64_t> word = frame.sp > 1 ? process.read_object<uint64_t>(frame.sp) : Result<uint64_t>(uint64_t{0});
      if (word && is_ours(*word)) {
        TRY(process.write_object(frame.sp, frame.return_address));
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

Result<size_t> restore_sites(Process& process, const targets::Patcher& patcher, const std::vector<SitePatch>& patches) {
  const std::vector<MapsEntry> maps = TRY(read_maps(process.pid()));
  if (const uint64_t arena = arena_of(patcher, maps, patches)) {
    TRY(release_returns(process, arena));
  }
  size_t foreign = 0;
  for (const SitePatch& patch : patches) {
    std::vector<uint8_t> now(patch.patched.size());
    if (!process.read(patch.address, now)) {
      continue; // the library is gone
    }
    if (now == patch.patched) {
      TRY(process.write(patch.address, patch.original));
    } else if (now != patch.original) {
      ++foreign;
    }
  }
  return foreign;
}

} // namespace bpfaot::loader
