/* SPDX-License-Identifier: MIT
 *
 * What minirt needs to know of x86_64: raw system calls, thread pointer, CPU number. Freestanding
 * C11. Atomics are the compiler's builtins; all of them are inline on this machine.
 */
#pragma once

#include <stdint.h>

enum {
  RT_NR_openat = 257,
  RT_NR_read = 0,
  RT_NR_close = 3,
  RT_NR_futex = 202,
  RT_NR_sched_yield = 24,
  RT_NR_getpid = 39,
  RT_NR_getuid = 102,
  RT_NR_getgid = 104,
  RT_NR_getppid = 110,
  RT_NR_geteuid = 107,
  RT_NR_getegid = 108,
  RT_NR_readlinkat = 267,
  RT_NR_prctl = 157,
  RT_NR_gettid = 186,
  RT_NR_tkill = 200,
  RT_NR_clock_gettime = 228,
  RT_NR_getcpu = 309,
  RT_NR_clock_getres = 229,
  RT_NR_statx = 332,
  RT_NR_process_vm_readv = 310,
  RT_NR_arch_prctl = 158,
};

/* Where the register file (struct pt_regs) has what a walk over the stack begins with, and where a
 * frame keeps its caller's frame pointer and its return address, from the frame pointer. */
#define RT_REGS_IP 128
#define RT_REGS_SP 152
#define RT_REGS_FP 32
#define RT_REGS_LINK (-1) /* at a function's entry the return address is at sp */
#define RT_FRAME_NEXT (0)
#define RT_FRAME_RETURN (8)
#define RT_FRAME_MASK 0  /* bits that are 0 in a frame pointer, as the kernel has it */
#define RT_FRAME_RISES 0 /* the kernel wants callers' frames above */

/* Keeps all registers but the result: cold calls then cost the fast path no spills. */
#ifdef __clang__
#define RT_PRESERVE_MOST __attribute__((preserve_most))
#else
#define RT_PRESERVE_MOST
#endif

static inline long rt_syscall6(long number, long a, long b, long c, long d, long e, long f) {
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

/* The thread pointer is the base of %fs. Where `method` is BPFAOT_THREAD_SYSCALL (1) user space may not
 * read it, and loading %fs:0 instead would fault before libc has set the base. */
static inline int rt_can_read_thread_pointer(uint32_t method) {
  return method == 0;
}
static inline uint64_t rt_read_thread_pointer(void) {
  uint64_t base;
  /* rdfsbase %rax, as bytes: the assembler asks for a CPU feature that is checked at run time */
  __asm__(".byte 0xf3, 0x48, 0x0f, 0xae, 0xc0" : "=a"(base));
  return base;
}
static inline uint64_t rt_thread_pointer(uint32_t method) {
  uint64_t base = 0;
  if (__builtin_expect(rt_can_read_thread_pointer(method), 1))
    return rt_read_thread_pointer();
  rt_syscall6(RT_NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, (long)&base, 0, 0, 0, 0);
  return base;
}

/* BPFAOT_CPU_RDPID: the kernel keeps node << 12 | cpu in IA32_TSC_AUX. */
static inline uint32_t rt_cpu_register(void) {
  uint64_t value;
  __asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a"(value)); /* rdpid %rax */
  return (uint32_t)value & 0xfff;
}
#define RT_HAS_CPU_REGISTER 1

/* Where libc's control block lies: from the thread pointer upwards (TLS variant II), or below it.
 */
#define RT_TCB_ABOVE 1

static inline void rt_pause(void) {
  __builtin_ia32_pause();
}
