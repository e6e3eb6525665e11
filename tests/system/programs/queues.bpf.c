// SPDX-License-Identifier: MIT
// Queue and stack: argument of each call in, the result of popping and of a full map out.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 5);
  __type(value, __u64);
} oldest_first SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK);
  __uint(max_entries, 5);
  __uint(value_size, 12);
} newest_first SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 3);
  __type(value, __u32);
} recent SEC(".maps");

__u64 popped, sum;
__s64 full = 1, empty = 1;

SEC("uprobe")
int push(struct pt_regs *ctx) {
  __u64 value = PT_REGS_PARM1(ctx);
  __u32 last = (__u32)value, triple[3] = {(__u32)value, 2, 3};
  __s64 r = bpf_map_push_elem(&oldest_first, &value, BPF_ANY);
  if (r)
    full = r;
  bpf_map_push_elem(&newest_first, triple, BPF_EXIST);
  bpf_map_push_elem(&recent, &last, BPF_EXIST);
  return 0;
}

SEC("uprobe")
int pop(struct pt_regs *ctx) {
  __u64 value;
  __u32 triple[3];
  if (bpf_map_peek_elem(&oldest_first, &value) == 0)
    sum += value;
  __s64 r = bpf_map_pop_elem(&oldest_first, &value);
  if (r)
    empty = r;
  else
    popped++;
  bpf_map_pop_elem(&newest_first, triple);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
