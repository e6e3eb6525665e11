/* SPDX-License-Identifier: MIT
 *
 * The first bytes of a trampoline arena, as the loader writes them and the support code behind
 * them (targets/shadow_stack.h) reads them. Freestanding C11 and C++20.
 */
#pragma once

#ifdef __cplusplus
#include <cstdint>
#else
#include <stdint.h>
#endif

#define BPFAOT_ARENA_SUPPORT 512 /* offset of the support code */
#define BPFAOT_ARENA_RANGES 8
#define BPFAOT_ARENA_MAPPED 16
#define BPFAOT_DISARMED 0x40000000u /* FUTEX_OWNER_DIED */

struct bpfaot_range {
  uint64_t low, high;
};

struct bpfaot_arena {
  uint64_t table;   /* struct bpfaot_thread_table */
  uint64_t process; /* struct bpfaot_process */
  /* Where the first thread's stack is and may grow to: two frames in here are on one stack. */
  struct bpfaot_range main_stack;
  uint64_t may_call_system;         /* 0: a seccomp filter is on */
  uint64_t has_fast_thread_pointer; /* user space may read it with an instruction of its own */
  uint64_t range_count;
  struct bpfaot_range ranges[BPFAOT_ARENA_RANGES]; /* all arenas of the process */
  /* `armed` holds the tid of the loader's thread, which has `robust` in its list of robust futexes:
   * when the thread ends, however it does, the kernel sets BPFAOT_DISARMED, and trampolines pass the
   * programs by. 0: armed for ever. */
  uint64_t robust; /* an address of the loader's */
  uint32_t armed;
  uint32_t reserved;
  /* All that was mapped for the session, so that whoever takes it out can unmap it. */
  uint64_t mapped_count;
  struct bpfaot_range mapped[BPFAOT_ARENA_MAPPED];
};

/* One system call of a batch, which a stub (targets/patch.h) makes. Before it the word at
 * `copy_from` is copied to `copy_to`, so that one call's result can be a later one's argument; both
 * are addresses in the target and lead to `result` when nothing is to be copied. */
struct bpfaot_remote_call {
  uint64_t more; /* 0: the list ends here and the rest means nothing */
  uint64_t copy_from, copy_to;
  uint64_t number;
  uint64_t args[6];
  uint64_t result;
};
