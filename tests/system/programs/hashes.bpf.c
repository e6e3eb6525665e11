// SPDX-License-Identifier: MIT
// Per-CPU and LRU hash maps in a probe: counts by argument modulo something, and a sum over CPUs.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u64);
} percpu SEC(".maps");

struct pair {
  __u32 hits;
  __u32 last;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, struct pair);
} lru SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} lru_percpu SEC(".maps");

__u64 total;
__u64 refused;

SEC("uprobe")
int count(struct pt_regs *ctx) {
  __u64 key = PT_REGS_PARM1(ctx) % 4, one = 1;
  __u64 *value = bpf_map_lookup_elem(&percpu, &key);
  if (value)
    *value += 1;
  else if (bpf_map_update_elem(&percpu, &key, &one, BPF_NOEXIST))
    refused++;

  __u32 hot = 1000, cold = (__u32)PT_REGS_PARM1(ctx);
  struct pair *pair = bpf_map_lookup_elem(&lru, &hot);
  struct pair first = {1, cold};
  if (pair) {
    pair->hits++;
    pair->last = cold;
  } else {
    bpf_map_update_elem(&lru, &hot, &first, BPF_ANY);
  }
  if (bpf_map_update_elem(&lru, &cold, &first, BPF_ANY))
    refused++;
  if (bpf_map_update_elem(&lru_percpu, &cold, &one, BPF_ANY))
    refused++;
  return 0;
}

// The sum of key 1 over all CPU slots.
SEC("uprobe")
int sum(struct pt_regs *ctx) {
  __u64 key = 1, all = 0;
  for (int cpu = 0; cpu < 4096; cpu++) {
    __u64 *value = bpf_map_lookup_percpu_elem(&percpu, &key, cpu);
    if (!value)
      break;
    all += *value;
  }
  total = all;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
