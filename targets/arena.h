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

#define BPFAOT_ARENA_SUPPORT 256 /* offset of the support code */
#define BPFAOT_ARENA_RANGES 8

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
};

/* One system call of a batch; the loader leaves a list of them in the target and runs it at once.
 * It stops behind the first call whose result is an error. */
struct bpfaot_remote_call {
  uint64_t number;
  uint64_t args[6];
  uint64_t result;
};
