// SPDX-License-Identifier: MIT
// For test-run: state that lives between runs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} runs SEC(".maps");

__u32 total;

// The number of this run, from a map, a global and the data: all three must agree.
SEC("syscall")
int stateful(__u32 *data) {
  __u32 zero = 0, *run = bpf_map_lookup_elem(&runs, &zero);
  if (!run)
    return -1;
  *run += 1;
  total += 1;
  data[0] += 1;
  if (*run != total || data[0] != total)
    return -1000;
  return *run;
}

SEC("syscall")
int adds(__u32 *data) {
  return data[0] + data[1];
}

SEC("syscall")
int negative(__u32 *data) {
  return -7;
}

char LICENSE[] SEC("license") = "GPL";
