// SPDX-License-Identifier: MIT
//
// What a process gets: the image, the session's memory, per-thread and per-process state, arenas of
// trampolines, and jumps at the planned sites. Nothing else: no thread, no heap, no open descriptor,
// no library. Every step that fails undoes those before it.
//
//   private memory    the fork page (a child sees zeros) and the thread table's slots
//   runtime file      memory shared with the loader: page 0 holds struct bpfaot_process and struct
//                     bpfaot_thread_table, so that counts can be read when the process is gone, and
//                     what is mapped for the session (restore.h); then
//                     one arena for each region of code, executable there and writable here
//   const, data       one behind the other, see abi.h
//   image             read-only once the runtime block is written
//
// The process is any LiveSpace: another one under ptrace, or this one. All places are chosen from
// outside and never taken over from something that came there first (MAP_FIXED_NOREPLACE), so a
// batch of mappings needs nothing of each other and a failed one does no harm.
//
// Code changes under LiveSpace::hold() and each site by one write of all its bytes, so that whoever
// dies in between leaves a site as it was or patched (docs/adr/0011). Everything else is made before,
// while the threads run. restore.h takes it all out again.
#pragma once

#include "loader/death_notice.h"
#include "loader/image.h"
#include "loader/live_space.h"
#include "loader/plan.h"
#include "loader/proc_maps.h"
#include "loader/registry.h"
#include "loader/session.h"
#include "support/files.h"

#include <memory>
#include <vector>

namespace bpfaot::loader {

struct MissedCounts {
  uint64_t entries = 0; // programs not run: nested, no thread slot, no CPU slot
  uint64_t returns = 0; // return programs not run
};

class Attachment {
public:
  // Maps everything but arenas. [process-seccomp] [remote-call] [attach-reach]
  static Result<std::unique_ptr<Attachment>> create(LiveSpace& space, const Image& image, const Session& session,
                                                    const targets::Patcher& patcher, const Plan& plan);
  // Makes the plan's trampolines. A site that turns out impossible becomes a refusal in the plan's rows.
  Status prepare(LiveSpace& space, const Image& image, Plan& plan);
  // Writes the jumps that were prepared. Sites that a thread does not leave become refusals; other
  // failures undo all of this call's sites. [attach-bytes] when the process is not what was planned for.
  Status commit(LiveSpace& space, Plan& plan);
  Status patch(LiveSpace& space, const Image& image, Plan& plan);
  // What has been written, and what commit() will write: for restore_sites(), which takes both.
  std::vector<SitePatch> patches() const;
  MissedCounts missed() const;
  // Inode of the runtime file: processes that map it share these probes (forked children).
  uint64_t runtime_inode() const { return runtime_inode_; }
  int runtime_fd() const { return runtime_.get(); }
  // Unmaps everything, unless a thread has been sent into a trampoline; no site may be patched.
  void undo(LiveSpace& space);

private:
  struct Arena {
    uint64_t base = 0, size = 0, used = 0; // address in the process, bytes
    Mapping local;
  };
  struct Mapped {
    uint64_t address = 0, size = 0;
  };
  struct NewSite { // a trampoline that no jump leads to yet
    SitePatch patch;
    SitePatch gap; // empty unless the jump had to go into a gap near by
    CoveredCode covered;
    std::vector<uint8_t> original; // all covered bytes
    uint64_t address = 0;          // of the probe
    MapsEntry mapping;             // that the plan saw
    bool sweeps = false;
  };
  class Batch;

  explicit Attachment(const targets::Patcher& patcher) : patcher_(&patcher) {}

  Status map_all(LiveSpace& space, const Image& image, const Session& session, const std::vector<MapsEntry>& maps,
                 uint64_t near, int refused);
  Status add_image(Batch& batch, const Image& image, int file, const std::vector<MapsEntry>& maps, uint64_t near,
                   int refused);
  Status write_image(LiveSpace& space, const Image& image);
  Status write_runtime(LiveSpace& space, const Image& image, const Session& session,
                       const std::vector<MapsEntry>& maps);
  Status make_runtime_file();
  // Arenas for all sites that have none in reach.
  Status make_arenas(LiveSpace& space, const Plan& plan);
  Result<Arena> make_arena(const std::vector<MapsEntry>& maps, uint64_t address, size_t sites, int refused);
  Arena* arena_for(uint64_t address);
  void publish_arenas();
  void publish(bpfaot_arena& control) const;
  bpfaot_arena& runtime_control() const;
  void publish_mapped(bpfaot_arena& control) const;
  Result<NewSite> make_site(const Image& image, const PlannedSite& site, Arena& arena);
  Status verify(LiveSpace& space) const;
  Status clear_sites(LiveSpace& space, Plan& plan);
  Status write_site(LiveSpace& space, const NewSite& site);
  void take_back(LiveSpace& space, size_t first);
  Status write_patch(LiveSpace& space, const SitePatch& patch);

  uint64_t words() const { return threads_ + (sizeof(bpfaot_thread) << capacity_log2_); } // see restore.h

  const targets::Patcher* patcher_;
  targets::ProcessFacts facts_;
  bool seccomp_ = false;
  bool is_entered_ = false; // a thread stands in a trampoline
  UniqueFd runtime_;
  uint64_t runtime_inode_ = 0, runtime_size_ = 0;
  Mapping runtime_page_;
  std::vector<Mapped> mapped_;
  uint64_t private_ = 0, threads_ = 0;
  uint32_t capacity_log2_ = 0;
  uint64_t runtime_base_ = 0, session_base_ = 0, image_base_ = 0;
  uint64_t stack_low_ = 0, stack_high_ = 0;
  std::vector<Arena> arenas_;
  std::unique_ptr<DeathNotice> notice_;
  std::vector<NewSite> pending_;
  std::vector<SitePatch> patches_;
};

} // namespace bpfaot::loader
