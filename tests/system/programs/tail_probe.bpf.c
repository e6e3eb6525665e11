// SPDX-License-Identifier: MIT
//
// A probe that hands each hit to one of several programs, which say nowhere to be attached.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

int even(void *ctx);
int odd(void *ctx);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 3);
  __uint(key_size, 4);
  __array(values, int(void *));
} jump SEC(".maps") = {.values = {[0] = (void *)&even, [1] = (void *)&odd}};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

// Only what runs in another's place leases a slot.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} per_cpu SEC(".maps");

__u64 hits;

static __always_inline void add(void *map, __u32 index) {
  __u64 *count = bpf_map_lookup_elem(map, &index);
  if (count)
    __sync_fetch_and_add(count, 1);
}

SEC("uprobe")
int even(void *ctx) {
  add(&counts, 0);
  add(&per_cpu, 0);
  return 0;
}

SEC("uprobe//of/nothing")
int odd(void *ctx) {
  add(&counts, 1);
  return 0;
}

SEC("uprobe")
int choose(void *ctx) {
  __u64 hit = __sync_fetch_and_add(&hits, 1);
  bpf_tail_call(ctx, &jump, (__u32)(hit % 3));
  add(&counts, 2); // nobody is in slot 2
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
