// SPDX-License-Identifier: MIT
//
// What a process gets: the image, the session's memory, per-thread and per-process state, arenas of
// trampolines, and jumps at the planned sites. Nothing else: no thread, no heap, no open descriptor,
// no library. Every step that fails undoes those before it.
//
//   private memory    the fork page (a child sees zeros) and the thread table's slots
//   runtime file      memory shared with the loader: page 0 holds struct bpfaot_process and struct
//                     bpfaot_thread_table, so that counts can be read when the process is gone; then
//                     one arena for each region of code, executable there and writable here
//   const, data       one behind the other, see abi.h
//   image             read-only once the runtime block is written
//
// Memory stays mapped after detaching: a thread may be inside a trampoline, or a function may return
// into one much later.
#pragma once

#include "loader/image.h"
#include "loader/modules.h"
#include "loader/plan.h"
#include "loader/process.h"
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
  // Maps everything but arenas. The process is stopped. [process-seccomp] [remote-call] [attach-reach]
  static Result<std::unique_ptr<Attachment>> create(Process& process, const Image& image, const Session& session,
                                                    const targets::Patcher& patcher, const Plan& plan);
  // Makes trampolines and writes the jumps. A site that turns out impossible becomes a refusal in the
  // plan's rows; other failures undo all of this call's sites.
  Status patch(Process& process, const Image& image, Plan& plan);
  // What patch() has written so far, for restore_sites().
  const std::vector<SitePatch>& patches() const { return patches_; }
  MissedCounts missed() const;
  // Inode of the runtime file: processes that map it share these probes (forked children).
  uint64_t runtime_inode() const { return runtime_inode_; }
  // Unmaps everything, unless a thread has been sent into a trampoline; no site may be patched.
  void undo(Process& process);

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
    SitePatch gap;           // empty unless the jump had to go into a gap near by
    uint32_t covered = 0;    // bytes
    uint64_t trampoline = 0;
    std::vector<targets::MovedInsn> moved;
  };

  explicit Attachment(const targets::Patcher& patcher) : patcher_(&patcher) {}

  Status map_all(Process& process, const Image& image, const Session& session, uint64_t near);
  Result<uint64_t> map(Process& process, uint64_t address, uint64_t size, int protection, int flags, int fd,
                       uint64_t offset);
  Status map_private(Process& process);
  Status map_image(Process& process, const Image& image, int fd, uint64_t near);
  Status write_runtime(Process& process, const Image& image, const Session& session);
  Status make_runtime_file();
  Result<Arena*> arena_for(Process& process, uint64_t address, size_t sites);
  void publish_arenas();
  Result<NewSite> make_site(const Image& image, const PlannedSite& site, Arena& arena);
  Status write_site(Process& process, const NewSite& site);
  Status write_patch(Process& process, const SitePatch& patch);
  Status move_threads(Process& process, const NewSite& site);

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
  std::vector<SitePatch> patches_;
};

// Descriptors of ours in the process: through /proc when it may look there, else over a socket.
class RemoteDescriptors {
public:
  // `scratch`: 512 writable bytes there. Descriptors to open for writing have `writable` set.
  static Result<std::vector<int>> send(Process& process, uint64_t scratch, const std::vector<int>& fds,
                                       const std::vector<bool>& writable);
  static void close(Process& process, const std::vector<int>& fds);
};

// Puts the original bytes back wherever ours still are. The process is stopped. Sites that hold
// neither are left alone and counted.
// Functions that are active return as if they had never been probed.
Result<size_t> restore_sites(Process& process, const targets::Patcher& patcher, const std::vector<SitePatch>& patches);

bool is_runtime_mapping(const MapsEntry& entry);
// Of the runtime file that the sites lead to; 0 when the process has none of them.
uint64_t runtime_inode_of(const targets::Patcher& patcher, int pid, const std::vector<SitePatch>& patches);

} // namespace bpfaot::loader
