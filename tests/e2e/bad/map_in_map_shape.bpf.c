// SPDX-License-Identifier: MIT
// Expected: reject [map-def]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct inner {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
};

struct { // one entry more
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 5);
  __type(key, __u32);
  __type(value, __u64);
} larger SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct inner);
} outer SEC(".maps") = {.values = {(void *)&larger}};

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&outer, &zero) != 0;
}

char LICENSE[] SEC("license") = "GPL";
