/* SPDX-License-Identifier: MIT
 *
 * What targets/shadow_stack.h needs to know of aarch64: a call leaves its return address in x30.
 * Functions may sign it with the stack pointer at their entry (pointer authentication). Such words
 * are recognised by their address bits and replaced by the true address, signed again; on
 * processors without it the instructions used do nothing.
 */
#pragma once

/* In front of the call that a return point follows, 8 bytes before it: movz xzr, #0xb9f */
#define SUPPORT_RETURN_MARK 0xd28173ffu
#define SUPPORT_RETURN_MARK_AT 8
/* In front of that the trampoline's tag: movz xzr, #tag */
#define SUPPORT_RETURN_TAG 0xd280001fu
#define SUPPORT_TAG_OF(return_point) (*(const uint32_t *)((return_point) - 12) >> 5 & 0xffff)

#ifndef __cplusplus
#include "targets/arena.h"

#define SUPPORT __attribute__((section("bpfaot_support"), used, noinline))
#define INLINE static inline __attribute__((always_inline))

#define SUPPORT_LINK_REGISTER 1
#define SUPPORT_KEPT_REGISTERS 12 /* x19 to x30 */
enum { SUPPORT_NR_getpid = 172, SUPPORT_NR_process_vm_readv = 270 };

INLINE const struct bpfaot_arena *support_arena(void) {
  /* The linker defines where the section begins. adr, not adrp: the copy has other page offsets. */
  const struct bpfaot_arena *control;
  __asm__(".hidden __start_bpfaot_support\n adr %0, __start_bpfaot_support - %c1"
          : "=r"(control)
          : "i"(BPFAOT_ARENA_SUPPORT));
  return control;
}

INLINE long support_syscall6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

INLINE uint64_t support_thread_pointer(const struct bpfaot_arena *arena) {
  uint64_t value;
  (void)arena;
  __asm__("mrs %0, tpidr_el0" : "=r"(value));
  return value;
}

INLINE uint64_t support_strip(uint64_t word) {
  register uint64_t x30 __asm__("x30") = word;
  __asm__("hint #7" /* xpaclri */ : "+r"(x30));
  return x30;
}

/* What `plain` would be, signed with key A or B and the stack pointer. */
INLINE uint64_t support_sign_a(uint64_t plain, uint64_t sp) {
  register uint64_t x17 __asm__("x17") = plain;
  register uint64_t x16 __asm__("x16") = sp;
  __asm__("hint #8" /* pacia1716 */ : "+r"(x17) : "r"(x16));
  return x17;
}

INLINE uint64_t support_sign_b(uint64_t plain, uint64_t sp) {
  register uint64_t x17 __asm__("x17") = plain;
  register uint64_t x16 __asm__("x16") = sp;
  __asm__("hint #10" /* pacib1716 */ : "+r"(x17) : "r"(x16));
  return x17;
}

/* Makes *fresh what has to stand where `seen`, which is `plain` or `plain` signed, stands. 0: it
 * cannot be told how it is signed. Signatures have few bits (7, as Linux sets processors up), so a
 * signed address often is the plain one; trampolines choose a return point for which it is not. */
INLINE int support_sign_alike(uint64_t seen, uint64_t plain, uint64_t *fresh, uint64_t sp) {
  const uint64_t a = support_sign_a(plain, sp), b = support_sign_b(plain, sp);
  const uint64_t fresh_a = support_sign_a(*fresh, sp), fresh_b = support_sign_b(*fresh, sp);
  const uint64_t candidates[3] = {plain, a, b}, replacements[3] = {*fresh, fresh_a, fresh_b};
  int found = 0;
  for (int i = 0; i < 3; ++i) {
    if (seen != candidates[i]) {
      continue;
    }
    if (found && *fresh != replacements[i]) {
      return 0;
    }
    *fresh = replacements[i];
    found = 1;
  }
  return found;
}
#endif
