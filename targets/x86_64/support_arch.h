/* SPDX-License-Identifier: MIT
 *
 * What targets/shadow_stack.h needs to know of x86_64: a call pushes its return address, so a
 * frame's sp is where that is.
 */
#pragma once

#include "targets/arena.h"

#define SUPPORT __attribute__((section("bpfaot_support"), used, noinline))
#define INLINE static inline __attribute__((always_inline))

#define SUPPORT_LINK_REGISTER 0
enum { SUPPORT_NR_getpid = 39, SUPPORT_NR_process_vm_readv = 310 };

INLINE const struct bpfaot_arena *support_arena(void) {
  /* The linker defines where the section begins. */
  const struct bpfaot_arena *control;
  __asm__(".hidden __start_bpfaot_support\n lea __start_bpfaot_support - %c1(%%rip), %0"
          : "=r"(control)
          : "i"(BPFAOT_ARENA_SUPPORT));
  return control;
}

INLINE long support_syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

INLINE uint64_t support_thread_pointer(const struct bpfaot_arena *arena) {
  uint64_t key = 0;
  if (arena->has_fast_thread_pointer) {
    __asm__("rdfsbase %0" : "=r"(key));
  } else {
    support_syscall6(158 /* arch_prctl */, 0x1003 /* ARCH_GET_FS */, (long)&key, 0, 0, 0, 0);
  }
  return key;
}
