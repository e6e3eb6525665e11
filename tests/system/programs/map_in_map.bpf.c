// SPDX-License-Identifier: MIT
//
// Maps in maps: each program that tests run starts with `run_`, and its result is the kernel's.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct numbers {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} first SEC(".maps"), second SEC(".maps"), third SEC(".maps");

struct table {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u64);
  __type(value, __u64);
} left SEC(".maps"), right SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 5);
  __type(key, __u32);
  __array(values, struct numbers);
} arrays SEC(".maps") = {.values = {[0] = &first, [1] = &second, [4] = &third}};

struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __uint(max_entries, 4);
  __type(key, __u32);
  __array(values, struct table);
} tables SEC(".maps") = {.values = {[1] = &left, [3] = &right}};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct table);
} more_tables SEC(".maps") = {.values = {[0] = &right}};

struct queues {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 3);
  __type(value, __u32);
} queue SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct queues);
} queue_of SEC(".maps") = {.values = {&queue}};

struct slots {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u32);
} per_cpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct slots);
} per_cpu_of SEC(".maps") = {.values = {&per_cpu}};

static __always_inline __u32 length(struct xdp_md *ctx) { return (__u32)(ctx->data_end - ctx->data); }

// Found in another one and by its name it is the same map.
SEC("xdp")
int run_same(struct xdp_md *ctx) {
  __u32 outer = 1, key = 3;
  void *inner = bpf_map_lookup_elem(&arrays, &outer);
  if (!inner)
    return 1;
  __u64 *value = bpf_map_lookup_elem(inner, &key);
  if (!value)
    return 2;
  *value = 77;
  value = bpf_map_lookup_elem(&second, &key);
  return value ? (int)*value : 3;
}

SEC("xdp")
int run_index(struct xdp_md *ctx) {
  __u32 outer = length(ctx) % 7, key = length(ctx) % 10;
  void *inner = bpf_map_lookup_elem(&arrays, &outer);
  if (!inner)
    return 100 + (int)outer;
  __u64 *value = bpf_map_lookup_elem(inner, &key);
  if (!value)
    return 200 + (int)key;
  *value += 5;
  return (int)*value;
}

SEC("xdp")
int run_hash(struct xdp_md *ctx) {
  __u32 outer = length(ctx) & 3;
  __u64 key = length(ctx), value = key * 3;
  void *inner = bpf_map_lookup_elem(&tables, &outer);
  if (!inner)
    return 300 + (int)outer;
  long result = bpf_map_update_elem(inner, &key, &value, BPF_NOEXIST);
  long again = bpf_map_update_elem(inner, &key, &value, BPF_NOEXIST);
  __u64 *found = bpf_map_lookup_elem(inner, &key);
  __u64 seen = found ? *found : 0;
  long gone = bpf_map_delete_elem(inner, &key);
  return (int)(result * 1000000 - again * 10000 + (long)seen + (gone ? 5 : 0));
}

// One map in two others.
SEC("xdp")
int run_shared(struct xdp_md *ctx) {
  __u32 three = 3, zero = 0;
  __u64 key = 9, value = 41;
  void *inner = bpf_map_lookup_elem(&tables, &three);
  if (!inner)
    return 4;
  bpf_map_update_elem(inner, &key, &value, BPF_ANY);
  inner = bpf_map_lookup_elem(&more_tables, &zero);
  if (!inner)
    return 5;
  __u64 *found = bpf_map_lookup_elem(inner, &key);
  return found ? (int)*found + 1 : 6;
}

// A different outer map on each path.
SEC("xdp")
int run_either(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 inner_key = 2, value = 8;
  void *outer = length(ctx) & 1 ? (void *)&tables : (void *)&more_tables;
  void *inner = bpf_map_lookup_elem(outer, &key);
  if (!inner)
    return 7;
  return (int)bpf_map_update_elem(inner, &inner_key, &value, BPF_EXIST) + 50;
}

SEC("xdp")
int run_queue(struct xdp_md *ctx) {
  __u32 zero = 0, value = length(ctx), out = 0;
  void *inner = bpf_map_lookup_elem(&queue_of, &zero);
  if (!inner)
    return 8;
  long pushed = bpf_map_push_elem(inner, &value, 0);
  long popped = bpf_map_pop_elem(inner, &out);
  long empty = bpf_map_pop_elem(inner, &out);
  return (int)(value * 10000 + (__u32)(pushed * 100 + popped * 10 - empty));
}

SEC("xdp")
int run_per_cpu(struct xdp_md *ctx) {
  __u32 zero = 0;
  void *inner = bpf_map_lookup_elem(&per_cpu_of, &zero);
  if (!inner)
    return 9;
  __u32 *value = bpf_map_lookup_elem(inner, &zero);
  if (!value)
    return 10;
  *value = length(ctx);
  __u32 *same = bpf_map_lookup_elem(&per_cpu, &zero);
  return same ? (int)*same : 11;
}

static long add(void *map, __u32 *key, __u64 *value, __u64 *sum) {
  *sum += *value * (*key + 1);
  return 0;
}

SEC("xdp")
int run_for_each(struct xdp_md *ctx) {
  __u32 four = 4;
  __u64 sum = 0;
  void *inner = bpf_map_lookup_elem(&arrays, &four);
  if (!inner)
    return 12;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    __u32 key = (__u32)i;
    __u64 *value = bpf_map_lookup_elem(inner, &key);
    if (value)
      *value = (__u64)(i * i);
  }
  long seen = bpf_for_each_map_elem(inner, add, &sum, 0);
  return (int)(sum * 100 + (__u64)seen);
}

// A null pointer is no map, and a map found twice is found twice.
SEC("xdp")
int run_null(struct xdp_md *ctx) {
  __u32 two = 2, zero = 0;
  void *nothing = bpf_map_lookup_elem(&arrays, &two), *something = bpf_map_lookup_elem(&arrays, &zero);
  return (nothing != 0) * 2 + (something != 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
