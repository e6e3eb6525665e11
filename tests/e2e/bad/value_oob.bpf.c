// SPDX-License-Identifier: MIT
// Expected: reject [map-value-oob]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64[4]);
} counts SEC(".maps");

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&counts, &key);
  if (!value)
    return 0;
  return value[bpf_get_prandom_u32() & 7]; // here
}

char LICENSE[] SEC("license") = "GPL";
