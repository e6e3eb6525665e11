// SPDX-License-Identifier: MIT
// Good, wrong and kernel-only programs in one file, for --verify-only.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

SEC("uprobe")
int good(struct pt_regs *ctx) {
  __u32 key = 1;
  __u64 *value = bpf_map_lookup_elem(&seen, &key);
  if (value)
    *value += PT_REGS_PARM1(ctx);
  return 0;
}

#ifndef ONLY_GOOD
SEC("uprobe/null")
int no_null_check(struct pt_regs *ctx) {
  __u32 key = 1;
  __u64 *value = bpf_map_lookup_elem(&seen, &key);
  *value += 1; // the line that --verify-only must name
  return 0;
}

SEC("kprobe/stack")
int stack_out_of_bounds(struct pt_regs *ctx) {
  asm volatile("r1 = r10; r1 += -520; r2 = 1; *(u64 *)(r1 + 0) = r2" ::: "r1", "r2", "memory");
  return 0;
}

SEC("uretprobe")
int leak(struct pt_regs *ctx) {
  __u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);
  if (record)
    *record = 1;
  return 0;
}

SEC("uprobe/loop")
int endless(struct pt_regs *ctx) {
  asm volatile("1: goto 1b");
  return 0;
}

SEC("uprobe/helper")
int unknown_helper(struct pt_regs *ctx) {
  return ((long (*)(void))9999)();
}

SEC("uprobe/uninit")
int uninitialised(struct pt_regs *ctx) {
  int r;
  asm volatile("r0 = r9; %0 = r0" : "=r"(r)::"r0");
  return r;
}

SEC("lsm/file_open")
int kernel_only(void *ctx) {
  return 0;
}
#endif

SEC("uprobe/last")
int good_too(struct pt_regs *ctx) {
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
