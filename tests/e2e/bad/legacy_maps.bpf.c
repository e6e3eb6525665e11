// SPDX-License-Identifier: MIT
// Expected: unsupported [map-legacy]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct bpf_map_def {
  unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def counts SEC("maps") = {
    .type = BPF_MAP_TYPE_ARRAY,
    .key_size = 4,
    .value_size = 8,
    .max_entries = 1,
};

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&counts, &key) != 0;
}

char LICENSE[] SEC("license") = "GPL";
