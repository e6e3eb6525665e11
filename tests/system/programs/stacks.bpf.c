// SPDX-License-Identifier: MIT
// Stacks of the probed thread: in a map by id, and as bytes.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 1024);
  __uint(key_size, 4);
  __uint(value_size, 64 * 8);
} stacks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, 4 * 8);
} one SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, __u64);
} ids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64); // printed as such by both
} results SEC(".maps");

static __always_inline void note(__u32 at, __s64 result) {
  bpf_map_update_elem(&results, &at, &result, BPF_ANY);
}

SEC("uprobe")
int stack(struct pt_regs *ctx) {
  __u64 id = (__u64)bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
  __u64 one_more = 1, *count = bpf_map_lookup_elem(&ids, &id);
  if (count)
    *count += 1;
  else
    bpf_map_update_elem(&ids, &id, &one_more, BPF_ANY);
  return 0;
}

SEC("uprobe")
int details(struct pt_regs *ctx) {
  __u64 pcs[6] = {};
  note(1, bpf_get_stack(ctx, pcs, sizeof pcs, BPF_F_USER_STACK));
  note(2, (__s64)(pcs[0] ^ pcs[1] * 3 ^ pcs[2] * 5 ^ pcs[3] * 7 ^ pcs[4] * 11 ^ pcs[5] * 13));
  note(3, bpf_get_stack(ctx, pcs, 16, BPF_F_USER_STACK | 1));
  note(4, (__s64)(pcs[0] ^ pcs[1] * 3));
  note(5, bpf_get_stack(ctx, pcs, sizeof pcs, BPF_F_USER_STACK | 250));
  note(6, (__s64)pcs[0]);
  note(7, bpf_get_stack(ctx, pcs, 12, BPF_F_USER_STACK));
  note(8, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK | 250));
  note(9, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK | 1 << 11));
  note(10, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK));
  note(11, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK));
  note(12, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK | 1)); // another stack in the only bucket
  note(13, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK | 1 | BPF_F_REUSE_STACKID));
  note(14, bpf_get_stackid(ctx, &one, BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP));
  return 0;
}

SEC("uprobe")
int count_return(struct pt_regs *ctx) {
  __u32 at = 15;
  __s64 *value = bpf_map_lookup_elem(&results, &at);
  if (value)
    *value += 1;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
