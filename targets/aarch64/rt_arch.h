/* SPDX-License-Identifier: MIT
 *
 * What minirt needs to know of aarch64: raw system calls, thread pointer. Freestanding C11. Atomics
 * are the compiler's builtins, compiled with -mno-outline-atomics so that none becomes a call.
 */
#pragma once

#include <stdint.h>

enum {
  RT_NR_openat = 56,
  RT_NR_close = 57,
  RT_NR_read = 63,
  RT_NR_clock_gettime = 113,
  RT_NR_futex = 98,
  RT_NR_sched_yield = 124,
  RT_NR_tkill = 130,
  RT_NR_prctl = 167,
  RT_NR_getcpu = 168,
  RT_NR_clock_getres = 114,
  RT_NR_statx = 291,
  RT_NR_getpid = 172,
  RT_NR_getuid = 174,
  RT_NR_getgid = 176,
  RT_NR_getppid = 173,
  RT_NR_geteuid = 175,
  RT_NR_getegid = 177,
  RT_NR_readlinkat = 78,
  RT_NR_gettid = 178,
  RT_NR_process_vm_readv = 270,
};

/* Where the register file (struct pt_regs) has what a walk over the stack begins with, and where a
 * frame keeps its caller's frame pointer and its return address, from the frame pointer. */
#define RT_REGS_IP 256
#define RT_REGS_SP 248
#define RT_REGS_FP 232
#define RT_REGS_LINK 240 /* the return address at a function's entry */
#define RT_FRAME_NEXT (0)
#define RT_FRAME_RETURN (8)
#define RT_FRAME_MASK 7  /* bits that are 0 in a frame pointer, as the kernel has it */
#define RT_FRAME_RISES 1 /* the kernel wants callers' frames above */

/* Keeps all registers but the result: cold calls then cost the fast path no spills. */
#ifdef __clang__
#define RT_PRESERVE_MOST __attribute__((preserve_most))
#else
#define RT_PRESERVE_MOST
#endif

static inline long rt_syscall6(long number, long a, long b, long c, long d, long e, long f) {
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

static inline int rt_can_read_thread_pointer(uint32_t method) {
  (void)method;
  return 1;
}
static inline uint64_t rt_read_thread_pointer(void) {
  uint64_t value;
  __asm__("mrs %0, tpidr_el0" : "=r"(value));
  return value;
}
static inline uint64_t rt_thread_pointer(uint32_t method) {
  (void)method;
  return rt_read_thread_pointer();
}

#define RT_HAS_CPU_REGISTER 0
static inline uint32_t rt_cpu_register(void) {
  return 0;
}

/* Where libc's control block lies: from the thread pointer upwards (TLS variant II), or below it.
 */
#define RT_TCB_ABOVE 0

static inline void rt_pause(void) {
  __asm__ volatile("yield");
}
