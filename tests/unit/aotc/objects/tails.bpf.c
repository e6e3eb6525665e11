// SPDX-License-Identifier: MIT
//
// Tail calls among probes, and of functions: `heavy` needs what nobody else does.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

int heavy(struct pt_regs *ctx);
int light(struct pt_regs *ctx);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 4);
  __uint(key_size, 4);
  __array(values, int(struct pt_regs *));
} jump SEC(".maps") = {.values = {[1] = (void *)&heavy, [3] = (void *)&light}};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64[32]);
} scratch SEC(".maps");

SEC("uprobe")
int heavy(struct pt_regs *ctx) {
  __u32 zero = 0;
  __u64 *words = bpf_map_lookup_elem(&scratch, &zero);
  if (words)
    words[0] += PT_REGS_PARM2(ctx);
  return 1;
}

SEC("uprobe//lib/some.so")
int light(struct pt_regs *ctx) { return 2; }

static __noinline int sub(struct pt_regs *ctx) {
  bpf_tail_call(ctx, &jump, 2);
  return 3;
}

#ifdef WITH_NESTING
static __noinline int frame(struct pt_regs *ctx) {
  volatile char bytes[128];
  __u64 at = PT_REGS_PARM1(ctx), other = PT_REGS_PARM2(ctx);
  asm volatile("%0 &= 127\n %1 &= 127" : "+r"(at), "+r"(other));
  bytes[at] = 1;
  return sub(ctx) + bytes[other];
}

SEC("uprobe/libc.so.6:free")
int nests(struct pt_regs *ctx) { return frame(ctx); }
#endif

SEC("uprobe/libc.so.6:malloc")
int calls(struct pt_regs *ctx) {
  bpf_tail_call(ctx, &jump, 1);
  return (int)PT_REGS_PARM1(ctx);
}

SEC("xdp")
int apart(struct xdp_md *ctx) { return 2; }

char LICENSE[] SEC("license") = "GPL";
