// SPDX-License-Identifier: MIT
// Expected: reject [null-deref]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u32 key = 1;
  __u64 *value = bpf_map_lookup_elem(&counts, &key);
  *value += 1; // here
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
