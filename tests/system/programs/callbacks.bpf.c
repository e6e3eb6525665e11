// SPDX-License-Identifier: MIT
// Callbacks: each program depends on its input alone (four words), so it returns here what it returns
// in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct input {
  __u64 word[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} array SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} hash SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u64);
} recent SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} percpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} percpu_hash SEC(".maps");

struct sum {
  __u64 total;
  __u32 calls, stop;
};

static int add_index(__u32 index, struct sum *sum) {
  sum->total = sum->total * 31 + index;
  sum->calls++;
  return sum->calls >= sum->stop;
}

SEC("syscall")
int loop_sum(struct input *in) {
  struct sum sum = {.total = in->word[0], .stop = 1000};
  long loops = bpf_loop(50, add_index, &sum, 0);
  return (int)(sum.total ^ sum.total >> 32) + (int)loops + (int)sum.calls;
}

SEC("syscall")
int loop_stops(struct input *in) {
  struct sum sum = {.stop = (in->word[0] & 15) + 1};
  return (int)bpf_loop(100, add_index, &sum, 0) * 1000 + (int)sum.calls;
}

SEC("syscall")
int loop_unknown_count(struct input *in) {
  struct sum sum = {.stop = 5000};
  return (int)bpf_loop((__u32)in->word[1] & 4095, add_index, &sum, 0) + (int)sum.total;
}

SEC("syscall")
int loop_errors(struct input *in) {
  struct sum sum = {.stop = 5};
  long none = bpf_loop(0, add_index, &sum, 0), flags = bpf_loop(4, add_index, &sum, 1);
  long many = bpf_loop((1 << 23) + 1, add_index, &sum, 0), most = bpf_loop(1 << 23, add_index, &sum, 0);
  return (int)(none + 10 * flags + 1000 * many + 100000 * most) + (int)sum.calls;
}

static int no_context(__u32 index, void *ctx) { return index == 7 || ctx != 0; }

SEC("syscall")
int loop_no_context(struct input *in) { return (int)bpf_loop(20, no_context, 0, 0); }

static int inner(__u32 index, struct sum *sum) {
  sum->total += index;
  return 0;
}

static int outer(__u32 index, struct sum *sum) {
  struct sum mine = {.total = sum->total};
  bpf_loop(index & 7, inner, &mine, 0);
  sum->total = mine.total + 1;
  return 0;
}

SEC("syscall")
int loop_nested(struct input *in) {
  struct sum sum = {};
  bpf_loop(12, outer, &sum, 0);
  return (int)sum.total;
}

struct filled {
  __u32 count;
  __u32 slots[8];
};

// An index that the callback checks itself.
static int fill(__u32 index, struct filled *filled) {
  __u32 at = filled->count;
  if (at >= 8)
    return 1;
  filled->slots[at] = index * 3;
  filled->count = at + 1;
  return 0;
}

SEC("syscall")
int loop_fill(struct input *in) {
  struct filled filled = {};
  int sum = 0;
  long loops = bpf_loop((in->word[2] & 31) + 1, fill, &filled, 0);
  for (int i = 0; i < 8; i++)
    sum = sum * 5 + filled.slots[i];
  return sum + (int)loops;
}

static __attribute__((noinline)) int nested_helper(struct sum *sum, __u64 by) {
  sum->total += by;
  return sum->total & 1;
}

static int through_function(__u32 index, struct sum *sum) {
  sum->calls += nested_helper(sum, index);
  return 0;
}

SEC("syscall")
int loop_calls_functions(struct input *in) {
  struct sum sum = {.total = in->word[3] & 255};
  bpf_loop(33, through_function, &sum, 0);
  return (int)(sum.total + sum.calls * 1000);
}

static long add_element(void *map, __u32 *key, __u64 *value, struct sum *sum) {
  sum->total += *key * 7 + *value;
  sum->calls++;
  *value += 1;
  return sum->calls >= sum->stop;
}

#define EACH(name, map, keys)                                                                      \
  SEC("syscall") int name(struct input *in) {                                                      \
    struct sum sum = {.stop = 1000}, again = {.stop = 3};                                          \
    for (__u32 i = 0; i < keys; i++) {                                                             \
      __u32 key = i;                                                                               \
      __u64 value = (in->word[0] & 0xffff) * i;                                                    \
      bpf_map_update_elem(&map, &key, &value, BPF_ANY);                                            \
    }                                                                                              \
    long all = bpf_for_each_map_elem(&map, add_element, &sum, 0);                                  \
    long some = bpf_for_each_map_elem(&map, add_element, &again, 0);                               \
    long flags = bpf_for_each_map_elem(&map, add_element, &sum, 1);                                \
    return (int)(sum.total + all * 100000 + some * 1000000 + flags * 10000000) + (int)sum.calls;   \
  }
EACH(each_array, array, 16)
EACH(each_hash, hash, 20)
EACH(each_percpu, percpu, 8)
EACH(each_percpu_hash, percpu_hash, 8)

static long wide_key(void *map, __u64 *key, __u64 *value, struct sum *sum) {
  sum->total += *key ^ *value;
  sum->calls++;
  return 0;
}

SEC("syscall")
int each_lru(struct input *in) {
  struct sum sum = {};
  for (__u64 i = 1; i < 10; i++) {
    __u64 key = in->word[1] * i, value = i * 5;
    bpf_map_update_elem(&recent, &key, &value, BPF_ANY);
  }
  long all = bpf_for_each_map_elem(&recent, wide_key, &sum, 0);
  return (int)(sum.total ^ sum.total >> 32) + (int)(all * 100) + (int)sum.calls;
}

// Elements go away under the iteration: each is seen once.
static long take_out(void *map, __u32 *key, __u64 *value, struct sum *sum) {
  __u32 mine = *key;
  sum->total += mine;
  bpf_map_delete_elem(&hash, &mine);
  return 0;
}

SEC("syscall")
int each_deletes(struct input *in) {
  struct sum sum = {};
  for (__u32 i = 1; i < 30; i++) {
    __u32 key = i;
    __u64 value = i;
    bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
  }
  long all = bpf_for_each_map_elem(&hash, take_out, &sum, 0);
  return (int)sum.total * 1000 + (int)all * 10 + (int)bpf_for_each_map_elem(&hash, take_out, &sum, 0);
}

char LICENSE[] SEC("license") = "GPL";
