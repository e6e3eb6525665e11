// SPDX-License-Identifier: MIT
// The records of system calls by the names of both generations of kernels, with other layouts than those
// of a process, so that only relocation finds the fields; and raw tracepoints through BPF_PROG.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define RELOCATED __attribute__((preserve_access_index))
struct pt_regs;
#include <bpf/bpf_tracing.h>

struct trace_event_raw_sys_enter {
  unsigned long args[6];
  long id;
} RELOCATED;
struct trace_event_raw_sys_exit {
  long ret, id;
} RELOCATED;
struct syscall_trace_enter {
  unsigned long args[6];
  int nr;
} RELOCATED;
struct syscall_trace_exit {
  long ret;
  int nr;
} RELOCATED;

SEC("tp/raw_syscalls/sys_enter")
int enter_raw(struct trace_event_raw_sys_enter *ctx) { return ctx->id * 1000 + ctx->args[0] * 10 + ctx->args[5]; }

SEC("tp/syscalls/sys_enter_openat")
int enter_one(struct trace_event_raw_sys_enter *ctx) { return ctx->id * 1000 + ctx->args[0] * 10 + ctx->args[5]; }

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_new(struct syscall_trace_enter *ctx) { return ctx->nr * 1000 + ctx->args[0] * 10 + ctx->args[5]; }

SEC("tp/raw_syscalls/sys_exit")
int exit_raw(struct trace_event_raw_sys_exit *ctx) { return ctx->id * 1000 + ctx->ret; }

SEC("tp/syscalls/sys_exit_openat")
int exit_new(struct syscall_trace_exit *ctx) { return ctx->nr * 1000 + ctx->ret; }

SEC("tp/syscalls/sys_exit_openat")
int exit_read(struct trace_event_raw_sys_exit *ctx) { return BPF_CORE_READ(ctx, id) * 1000 + BPF_CORE_READ(ctx, ret); }

SEC("raw_tp/sys_enter")
int BPF_PROG(raw_enter, struct pt_regs *regs, long id) { return id * 10 + ((long)regs & 7); }

SEC("raw_tracepoint/sys_exit")
int BPF_PROG(raw_exit, struct pt_regs *regs, long ret) { return ret; }

SEC("tp/raw_syscalls/sys_enter")
int there(void *ctx) {
  return bpf_core_type_exists(struct trace_event_raw_sys_enter) |
         bpf_core_type_exists(struct trace_event_raw_sys_exit) << 1 |
         bpf_core_type_exists(struct syscall_trace_enter) << 2 | bpf_core_type_exists(struct syscall_trace_exit) << 3 |
         bpf_core_field_exists(struct syscall_trace_enter, nr) << 4 |
         (bpf_core_field_size(struct trace_event_raw_sys_enter, id) == 8) << 5;
}

struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
struct bpf_perf_event_data {
  struct pt_regs regs;
  unsigned long long sample_period, addr;
} RELOCATED;

SEC("perf_event")
int sampled(struct bpf_perf_event_data *ctx) {
  return ctx->sample_period * 100 + ctx->addr * 10 + bpf_core_type_exists(struct bpf_perf_event_data);
}

char LICENSE[] SEC("license") = "GPL";
