// SPDX-License-Identifier: MIT
// Hits per process and per thread.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} pids SEC(".maps"), tids SEC(".maps");

static __always_inline void add(void *map, __u32 key) {
  __u64 one = 1, *count = bpf_map_lookup_elem(map, &key);
  if (count)
    __sync_fetch_and_add(count, 1);
  else if (bpf_map_update_elem(map, &key, &one, BPF_NOEXIST)) {
    count = bpf_map_lookup_elem(map, &key);
    if (count)
      __sync_fetch_and_add(count, 1);
  }
}

SEC("uprobe")
int by_pid(void *ctx) {
  __u64 id = bpf_get_current_pid_tgid();
  add(&pids, id >> 32);
  add(&tids, (__u32)id);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
