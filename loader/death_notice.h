// SPDX-License-Identifier: MIT
//
// Words in shared memory that say whether this thread still lives: each holds its tid, and when the
// thread ends, however it does, the kernel marks it (set_robust_list(2), FUTEX_OWNER_DIED). Used for
// the `armed` words of arenas.
//
// A thread has one such list. glibc's own, of robust mutexes, is set aside while this one is in use.
#pragma once

#include "targets/arena.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace bpfaot::loader {

class DeathNotice {
public:
  DeathNotice();
  ~DeathNotice(); // of the same thread; marks the words, as its end would
  DeathNotice(const DeathNotice&) = delete;
  DeathNotice& operator=(const DeathNotice&) = delete;

  // `arena` stays mapped here until the destructor.
  void add(bpfaot_arena& arena);

private:
  struct Head;
  std::unique_ptr<Head> head_;
  std::vector<bpfaot_arena*> arenas_;
};

} // namespace bpfaot::loader
