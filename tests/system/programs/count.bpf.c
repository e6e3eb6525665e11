// SPDX-License-Identifier: MIT
// Counts entries and returns exactly: counts[0] entries, [1] returns, [2] sum of first arguments,
// [3] sum of returned values, [4] hits of a second entry program.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

static __always_inline void add(__u32 index, __u64 amount) {
  __u64 *count = bpf_map_lookup_elem(&counts, &index);
  if (count)
    __sync_fetch_and_add(count, amount);
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  add(0, 1);
  add(2, PT_REGS_PARM1(ctx));
  return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx) {
  add(1, 1);
  add(3, PT_REGS_RC(ctx));
  return 0;
}

SEC("uprobe")
int on_entry_too(struct pt_regs *ctx) {
  add(4, 1);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
