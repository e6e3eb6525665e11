// SPDX-License-Identifier: MIT
// Every way in which libbpf's macros read registers, one program each, for each __TARGET_ARCH_*. With
// -DNAMES_ONLY the types say nothing about relocation, as those of <asm/ptrace.h>.
#include <linux/types.h>
#ifdef NAMES_ONLY
#define RELOCATED
#else
#define RELOCATED __attribute__((preserve_access_index))
#endif

#define __VMLINUX_H__ // the kernel's names of registers
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
} RELOCATED;
#define NUMBER(x) ((x)->orig_ax)
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  __u64 regs[31], sp, pc, pstate;
} RELOCATED;
struct pt_regs {
  struct user_pt_regs user_regs;
  __u64 orig_x0;
} RELOCATED;
#define NUMBER(x) (((const struct user_pt_regs *)(x))->regs[8])
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
  unsigned long pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
  unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
} RELOCATED;
struct pt_regs {
  struct user_regs_struct registers;
} RELOCATED;
#define NUMBER(x) (((const struct user_regs_struct *)(x))->a7)
#endif

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

// Newer than the libbpf of some distributions.
#ifndef PT_REGS_PARM6
#if defined(__TARGET_ARCH_x86)
#define SIXTH r9
#elif defined(__TARGET_ARCH_arm64)
#define SIXTH regs[5]
#define SEVENTH regs[6]
#define EIGHTH regs[7]
#else
#define SIXTH a5
#define SEVENTH a6
#define EIGHTH a7
#endif
#define PT_REGS_PARM6(x) (__PT_REGS_CAST(x)->SIXTH)
#define PT_REGS_PARM6_CORE(x) BPF_CORE_READ(__PT_REGS_CAST(x), SIXTH)
#define PT_REGS_PARM6_SYSCALL(x) PT_REGS_PARM6(x)
#define PT_REGS_PARM6_CORE_SYSCALL(x) PT_REGS_PARM6_CORE(x)
#define PT_REGS_PARM7(x) (__PT_REGS_CAST(x)->SEVENTH)
#define PT_REGS_PARM8(x) (__PT_REGS_CAST(x)->EIGHTH)
#endif

#define READS(section, name, macro) \
  SEC(section) int name(struct pt_regs *ctx) { return (int)macro(ctx); }

READS("uprobe", parm1, PT_REGS_PARM1)
READS("uprobe", parm2, PT_REGS_PARM2)
READS("uprobe", parm3, PT_REGS_PARM3)
READS("uprobe", parm4, PT_REGS_PARM4)
READS("uprobe", parm5, PT_REGS_PARM5)
READS("uprobe", parm6, PT_REGS_PARM6)
READS("uprobe", fp, PT_REGS_FP)
READS("uprobe", sp, PT_REGS_SP)
READS("uprobe", ip, PT_REGS_IP)
READS("uprobe", ret, PT_REGS_RET)
READS("kprobe/f", parm1_core, PT_REGS_PARM1_CORE)
READS("kprobe/f", parm2_core, PT_REGS_PARM2_CORE)
READS("kprobe/f", parm3_core, PT_REGS_PARM3_CORE)
READS("kprobe/f", parm4_core, PT_REGS_PARM4_CORE)
READS("kprobe/f", parm5_core, PT_REGS_PARM5_CORE)
READS("kprobe/f", parm6_core, PT_REGS_PARM6_CORE)
READS("kprobe/f", fp_core, PT_REGS_FP_CORE)
READS("kprobe/f", sp_core, PT_REGS_SP_CORE)
READS("kprobe/f", ip_core, PT_REGS_IP_CORE)
READS("kprobe/f", ret_core, PT_REGS_RET_CORE)
READS("uretprobe", rc, PT_REGS_RC)
READS("kretprobe/f", rc_core, PT_REGS_RC_CORE)
READS("ksyscall/f", call1, PT_REGS_PARM1_SYSCALL)
READS("ksyscall/f", call2, PT_REGS_PARM2_SYSCALL)
READS("ksyscall/f", call3, PT_REGS_PARM3_SYSCALL)
READS("ksyscall/f", call4, PT_REGS_PARM4_SYSCALL)
READS("ksyscall/f", call5, PT_REGS_PARM5_SYSCALL)
READS("ksyscall/f", call6, PT_REGS_PARM6_SYSCALL)
READS("ksyscall/f", call1_core, PT_REGS_PARM1_CORE_SYSCALL)
READS("ksyscall/f", call2_core, PT_REGS_PARM2_CORE_SYSCALL)
READS("ksyscall/f", call3_core, PT_REGS_PARM3_CORE_SYSCALL)
READS("ksyscall/f", call4_core, PT_REGS_PARM4_CORE_SYSCALL)
READS("ksyscall/f", call5_core, PT_REGS_PARM5_CORE_SYSCALL)
READS("ksyscall/f", call6_core, PT_REGS_PARM6_CORE_SYSCALL)
READS("ksyscall/f", number, NUMBER)
#ifdef PT_REGS_PARM7
#ifndef __TARGET_ARCH_x86
READS("uprobe", parm7, PT_REGS_PARM7)
READS("uprobe", parm8, PT_REGS_PARM8)
#endif
#endif

// Five small numbers in one.
static int packed(long a, long b, long c, long d, long e) { return a | b << 6 | c << 12 | d << 18 | e << 24; }

SEC("kprobe/f")
int BPF_KPROBE(many, long a, long b, long c, long d, long e) { return packed(a, b, c, d, e); }

SEC("uprobe")
int BPF_KPROBE(many_user, long a, long b, long c, long d, long e) { return packed(a, b, c, d, e); }

SEC("kretprobe/f")
int BPF_KRETPROBE(result, long value) { return value; }

SEC("ksyscall/f")
int BPF_KSYSCALL(many_call, long a, long b, long c, long d, long e) { return packed(a, b, c, d, e); }

struct bpf_perf_event_data {
  struct pt_regs regs;
  __u64 sample_period, addr;
} RELOCATED;

SEC("perf_event")
int sample(struct bpf_perf_event_data *data) {
  struct pt_regs *regs = (struct pt_regs *)data; // the registers come first
  return (int)PT_REGS_PARM2(regs);
}

char LICENSE[] SEC("license") = "GPL";
