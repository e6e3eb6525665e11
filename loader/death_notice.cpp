// SPDX-License-Identifier: MIT
#include "loader/death_notice.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace bpfaot::loader {

// struct robust_list_head of the kernel. Entries lie in the arenas: `robust` is the pointer to the
// next, `armed` the word. A process that overwrites its arena can only lead the kernel astray in this
// process's memory while it ends, and only to mark words that hold this thread's id.
struct DeathNotice::Head {
  uint64_t next = 0;
  int64_t word_offset = offsetof(bpfaot_arena, armed) - offsetof(bpfaot_arena, robust);
  uint64_t pending = 0;
  void* previous = nullptr; // the list that was there
  size_t previous_size = 0;
};

namespace {
constexpr size_t kHeadSize = 24;
}

DeathNotice::DeathNotice() : head_(std::make_unique<Head>()) {
  head_->next = reinterpret_cast<uint64_t>(&head_->next); // empty: it leads back to itself
  syscall(SYS_get_robust_list, 0, &head_->previous, &head_->previous_size);
  syscall(SYS_set_robust_list, head_.get(), kHeadSize);
}

DeathNotice::~DeathNotice() {
  if (head_->previous_size == kHeadSize) {
    syscall(SYS_set_robust_list, head_->previous, head_->previous_size);
  }
  // Not along the list: the process could have written to it.
  for (bpfaot_arena* arena : arenas_) {
    __atomic_store_n(&arena->armed, BPFAOT_DISARMED, __ATOMIC_RELAXED);
  }
}

void DeathNotice::add(bpfaot_arena& arena) {
  arenas_.push_back(&arena);
  // The word first: an entry whose word is not ours means nothing.
  __atomic_store_n(&arena.armed, static_cast<uint32_t>(gettid()), __ATOMIC_SEQ_CST);
  arena.robust = head_->next;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  head_->next = reinterpret_cast<uint64_t>(&arena.robust);
}

} // namespace bpfaot::loader
