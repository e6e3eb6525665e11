// SPDX-License-Identifier: MIT
// ENTRY and RETURN are the section names: counts[0] and counts[1].
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

static __always_inline void add(__u32 index) {
  __u64 *count = bpf_map_lookup_elem(&counts, &index);
  if (count)
    __sync_fetch_and_add(count, 1);
}

SEC(ENTRY)
int on_entry(void *ctx) {
  add(0);
  return 0;
}

SEC(RETURN)
int on_return(void *ctx) {
  add(1);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
