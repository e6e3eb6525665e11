// SPDX-License-Identifier: MIT
// Expected: unsupported [unsupported-map-type|helper-unknown]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
  __uint(max_entries, 16);
  __type(value, __u64);
} seen SEC(".maps");

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u64 value = 1;
  return bpf_map_peek_elem(&seen, &value); // here
}

char LICENSE[] SEC("license") = "GPL";
