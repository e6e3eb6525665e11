/* SPDX-License-Identifier: MIT
 *
 * What targets/shadow_stack.h needs to know of riscv64: a call leaves its return address in ra.
 */
#pragma once

/* In front of the call that a return point follows, 8 bytes before it: lui zero, 0xb9fa0 (a hint) */
#define SUPPORT_RETURN_MARK 0xb9fa0037u
#define SUPPORT_RETURN_MARK_AT 8
#define SUPPORT_KEPT_REGISTERS 13 /* ra, s0 to s11 */

#ifndef __cplusplus
#include "targets/arena.h"

#define SUPPORT __attribute__((section("bpfaot_support"), used, noinline))
#define INLINE static inline __attribute__((always_inline))

#define SUPPORT_LINK_REGISTER 1
enum { SUPPORT_NR_getpid = 172, SUPPORT_NR_process_vm_readv = 270 };

INLINE const struct bpfaot_arena *support_arena(void) {
  /* The linker defines where the section begins; it must not make the address relative to gp. */
  const struct bpfaot_arena *control;
  __asm__(".hidden __start_bpfaot_support\n"
          ".option push\n .option norelax\n"
          "lla %0, __start_bpfaot_support - %1\n"
          ".option pop"
          : "=r"(control)
          : "i"(BPFAOT_ARENA_SUPPORT));
  return control;
}

INLINE long support_syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long a7 __asm__("a7") = number;
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a3 __asm__("a3") = d;
  register long a4 __asm__("a4") = e;
  register long a5 __asm__("a5") = f;
  __asm__ volatile("ecall"
                   : "+r"(a0)
                   : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                   : "memory");
  return a0;
}

INLINE uint64_t support_thread_pointer(const struct bpfaot_arena *arena) {
  uint64_t value;
  (void)arena;
  __asm__("mv %0, tp" : "=r"(value));
  return value;
}

/* gcc puts constants of this size into .rodata, which is not copied. */
INLINE uint64_t support_hash_factor(void) {
  uint64_t value;
  __asm__("li %0, 0x9e3779b97f4a7c15" : "=r"(value));
  return value;
}
#define SUPPORT_HASH_FACTOR support_hash_factor()

/* Return addresses are never signed. */
INLINE uint64_t support_strip(uint64_t word) {
  return word;
}

INLINE int support_sign_alike(uint64_t seen, uint64_t plain, uint64_t *fresh, uint64_t sp) {
  (void)seen, (void)plain, (void)fresh, (void)sp;
  return 1;
}
#endif
