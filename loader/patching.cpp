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
  arena.used = next + trampoline.bytes.size();
  return made;
}

Status Attachment::write_site(LiveSpace& space, const NewSite& site) {
  is_entered_ |= TRY(space.leave(site.covered));
  if (!site.gap.patched.empty()) {
    TRY(write_patch(space, site.gap));
  }
  return write_patch(space, site.patch);
}

// Only over the bytes that are expected, and read back. What is written is to be restored.
Status Attachment::write_patch(LiveSpace& space, const SitePatch& patch) {
  std::vector<uint8_t> now(patch.original.size());
  TRY(space.read(patch.address, now));
  if (now != patch.original) {
    return fail(Code::kAttachBytes, "the code at " + hex(patch.address) + " has changed since it was looked at");
  }
  TRY(space.write(patch.address, patch.patched));
  patches_.push_back(patch);
  TRY(space.read(patch.address, now));
  if (now != patch.patched) {
    return fail(Code::kAttachBytes, "the code at " + hex(patch.address) + " did not take the jump");
  }
  return {};
}

Status Attachment::patch(LiveSpace& space, const Image& image, Plan& plan) {
  TRY(make_arenas(space, plan));
  std::vector<NewSite> made;
  for (const PlannedSite& site : plan.sites) {
    Arena* arena = arena_for(site.cover.patch_pc);
    Result<NewSite> one = arena != nullptr ? make_site(image, site, *arena)
                                           : fail(Code::kAttachReach, "the arena near " + hex(site.address) + " is full");
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
  TRY(space.hold());
  const size_t before = patches_.size();
  for (const NewSite& site : made) {
    Status written = write_site(space, site);
    if (!written) {
      (void)restore_sites(space, *patcher_, {patches_.begin() + static_cast<ptrdiff_t>(before), patches_.end()});
      patches_.resize(before);
      return written;
    }
  }
  space.release();
  return {};
}

} // namespace bpfaot::loader
