// SPDX-License-Identifier: MIT
//
// Making trampolines and writing jumps. While every thread is held the order of the bytes does not
// matter; where the threads are does. A thread that stands inside the bytes to be replaced goes on at
// the moved instruction that corresponds to its own.
#include "loader/inject.h"

#include "loader/restore.h"
#include "support/hex.h"
#include "targets/arena.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>

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
  request.support = patcher_->support().at(arena.base + BPFAOT_ARENA_SUPPORT);
  request.has_fast_thread_pointer = facts_.fast_thread_pointer;
  request.signs_returns = facts_.signs_returns;
  request.armed = arena.base + offsetof(bpfaot_arena, armed);
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
      static_assert(offsetof(bpfaot_arena, ranges) == offsetof(bpfaot_arena, range_count) + offsetof(bpfaot_code_ranges, range));
      const bool at_entry = site.cover.at_entry && !planned.is_return;
      const bpfaot_site data{site.address, planned.cookie, arena.base + offsetof(bpfaot_arena, range_count),
                             uint32_t{BPFAOT_SITE_ARMED} | (at_entry ? uint32_t{BPFAOT_SITE_ENTRY} : 0u), planned.program};
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
    made.gap.patched = TRY(patcher_->encode_jump(site.gap, request.pc, site.cover.scratch));
    made.patch.patched = TRY(patcher_->encode_short_jump(site.cover.patch_pc, site.gap));
  } else {
    made.patch.patched = TRY(patcher_->encode_jump(site.cover.patch_pc, request.pc, site.cover.scratch));
  }
  made.patch.original.assign(site.original.begin(), site.original.begin() + static_cast<ptrdiff_t>(made.patch.patched.size()));
  made.covered = {made.patch.address, site.cover.size, request.pc, std::move(trampoline.moved)};
  made.original = site.original;
  made.address = site.address;
  made.mapping = site.mapping;
  made.sweeps = made.patch.is_guard = made.gap.is_guard = site.sweeps;
  arena.used = next + trampoline.bytes.size();
  return made;
}

// Of a held process: that it is the one that was planned for.
Status Attachment::verify(LiveSpace& space) const {
  const std::vector<MapsEntry> maps = TRY(space.mapped());
  for (const NewSite& site : pending_) {
    const MapsEntry* entry = entry_at(maps, site.patch.address);
    std::vector<uint8_t> now(site.original.size()), gap(site.gap.original.size());
    const bool same = entry != nullptr && *entry == site.mapping && space.read(site.patch.address, now) && now == site.original &&
                      (gap.empty() || (space.read(site.gap.address, gap) && gap == site.gap.original));
    if (!same) {
      return fail(Code::kAttachBytes, "the code at " + hex(site.patch.address) + " has changed since it was looked at");
    }
  }
  return {};
}

// Holds the process such that no thread is inside the bytes of a pending site. What cannot be had in
// time becomes a refusal. Leaves the process held.
Status Attachment::clear_sites(LiveSpace& space, Plan& plan) {
  constexpr int kRounds = 200;
  for (int round = 0;; ++round) {
    TRY(space.hold());
    std::vector<CoveredCode> codes;
    for (const NewSite& site : pending_) {
      codes.push_back(site.covered);
    }
    const std::vector<Leave> verdicts = TRY(space.leave(codes));
    for (size_t i = 0; i < verdicts.size(); ++i) {
      is_entered_ |= verdicts[i] == Leave::entered;
      if (verdicts[i] != Leave::busy || round != kRounds) {
        continue;
      }
      if (pending_[i].sweeps) {
        return fail(Code::kAttachBusy, "a thread is at the beginning of an unwinder and does not leave");
      }
      for (PlanRow& row : plan.rows) {
        if (row.address == pending_[i].address && !row.refusal) {
          row.refusal = make_error(Code::kAttachBusy, "a thread is in the middle of the bytes at " + hex(row.address) +
                                                          " (in a signal handler that came there, it seems) and does not leave");
        }
      }
    }
    const bool any_busy = std::find(verdicts.begin(), verdicts.end(), Leave::busy) != verdicts.end();
    if (!any_busy || round == kRounds) {
      for (size_t i = verdicts.size(); i-- > 0;) {
        if (verdicts[i] == Leave::busy) {
          pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(i));
        }
      }
      return {};
    }
    space.release(true);
    const timespec pause{0, 2'000'000};
    nanosleep(&pause, nullptr);
  }
}

Status Attachment::write_site(LiveSpace& space, const NewSite& site) {
  if (!site.gap.patched.empty()) {
    TRY(write_patch(space, site.gap));
  }
  return write_patch(space, site.patch);
}

// By one write, and read back. What is written is to be restored.
Status Attachment::write_patch(LiveSpace& space, const SitePatch& patch) {
  TRY(space.write(patch.address, patch.patched));
  patches_.push_back(patch);
  std::vector<uint8_t> now(patch.patched.size());
  TRY(space.read(patch.address, now));
  if (now != patch.patched) {
    return fail(Code::kAttachBytes, "the code at " + hex(patch.address) + " did not take the jump");
  }
  return {};
}

Status Attachment::prepare(LiveSpace& space, const Image& image, Plan& plan) {
  TRY(make_arenas(space, plan));
  for (const PlannedSite& site : plan.sites) {
    Arena* arena = arena_for(site.cover.patch_pc);
    Result<NewSite> one = arena != nullptr ? make_site(image, site, *arena)
                                           : fail(Code::kAttachReach, "the arena near " + hex(site.address) + " is full");
    if (one) {
      pending_.push_back(std::move(*one));
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
  return {};
}

// Guards of unwinders come before the return probes that need them: this loader may die in between.
Status Attachment::commit(LiveSpace& space, Plan& plan) {
  std::stable_partition(pending_.begin(), pending_.end(), [](const NewSite& site) { return site.sweeps; });
  const size_t before = patches_.size();
  Status written = clear_sites(space, plan);
  if (written) {
    written = verify(space);
  }
  if (written) {
    written = space.write_object(words() + kPatchedOffset, uint64_t{1});
  }
  for (size_t i = 0; written && i < pending_.size(); ++i) {
    written = write_site(space, pending_[i]);
  }
  pending_.clear();
  if (!written) {
    take_back(space, before);
  }
  space.release();
  return written;
}

// Of a held process: the sites from `first` on are as they were. Threads may be on their way through the
// trampolines: when no other site is left, all that is mapped goes with a later attachment.
void Attachment::take_back(LiveSpace& space, size_t first) {
  const std::vector<SitePatch> undone(patches_.begin() + static_cast<ptrdiff_t>(first), patches_.end());
  patches_.resize(first);
  const Result<size_t> foreign = write_originals(space, undone);
  is_entered_ |= !undone.empty();
  if (is_entered_ && patches_.empty() && foreign && *foreign == 0) {
    (void)space.write_object(words() + kAbandonedOffset, kAbandoned);
  }
}

Status Attachment::patch(LiveSpace& space, const Image& image, Plan& plan) {
  TRY(prepare(space, image, plan));
  return commit(space, plan);
}

std::vector<SitePatch> Attachment::patches() const {
  std::vector<SitePatch> all = patches_;
  for (const NewSite& site : pending_) {
    if (!site.gap.patched.empty()) {
      all.push_back(site.gap);
    }
    all.push_back(site.patch);
  }
  return all;
}

} // namespace bpfaot::loader
