/* SPDX-License-Identifier: MIT
 *
 * What minirt needs to know of riscv64: raw system calls, thread pointer. Freestanding C11. Atomics
 * are the compiler's builtins; rv64gc has the A extension, so all of 4 and 8 bytes are inline.
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
#define RT_REGS_IP 0
#define RT_REGS_SP 16
#define RT_REGS_FP 64
#define RT_REGS_LINK 8 /* the return address at a function's entry */
#define RT_FRAME_NEXT (-16)
#define RT_FRAME_RETURN (-8)
#define RT_FRAME_MASK 7  /* bits that are 0 in a frame pointer, as the kernel has it */
#define RT_FRAME_RISES 0 /* the kernel wants callers' frames above */

#define RT_PRESERVE_MOST /* LLVM 19 has no such convention on this machine */

static inline long rt_syscall6(long number, long a, long b, long c, long d, long e, long f) {
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

static inline int rt_can_read_thread_pointer(uint32_t method) {
  (void)method;
  return 1;
}
static inline uint64_t rt_read_thread_pointer(void) {
  uint64_t value;
  __asm__("mv %0, tp" : "=r"(value));
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
  __asm__ volatile("nop");
} /* Zihintpause is optional */
