// SPDX-License-Identifier: MIT
// Global functions, which the verifier looks at by their prototypes alone. Each program depends on its
// input alone (four words), so it returns here what it returns in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ARG_CTX __attribute__((btf_decl_tag("arg:ctx")))
#define ARG_NONNULL __attribute__((btf_decl_tag("arg:nonnull")))
#define GLOBAL __attribute__((noinline))

struct input {
  __u64 word[4];
};

struct pair {
  __u32 count;
  __u64 sum;
};

enum way { UP, DOWN, SIDEWAYS };

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct pair);
} pairs SEC(".maps");

__u64 calls;
struct pair total;

GLOBAL __u64 mix(__u64 a, __u32 b, _Bool flip) {
  calls++;
  return flip ? (a << 7) ^ b : a * 31 + b;
}

GLOBAL int add(struct pair *pair, __u64 amount) {
  if (!pair)
    return -1;
  pair->count++;
  pair->sum += amount;
  return pair->count;
}

// Also called with addresses that are not aligned.
GLOBAL int sum_bytes(const __u8 (*bytes)[12], __u32 step) {
  __u32 i, sum = 0;
  if (!bytes)
    return -1;
  for (i = 0; i < 12; i++)
    sum = sum * step + (*bytes)[i];
  return sum;
}

GLOBAL __u64 unaligned(__u64 *word ARG_NONNULL) {
  *word += 0x0101010101010101;
  return *word ^ 0x55;
}

GLOBAL int turn(enum way way, __s16 by) {
  switch (way) {
  case UP: return by;
  case DOWN: return -by;
  case SIDEWAYS: return by >> 1;
  }
  return 77;
}

GLOBAL int count_up(__u32 *word ARG_NONNULL, int by) {
  return __sync_fetch_and_add(word, by);
}

// A global function that calls two others, one of which has it from here.
GLOBAL int add_twice(struct pair *pair, __u64 amount) {
  return add(pair, amount) * 16 + add(pair, mix(amount, 5, amount & 1));
}

GLOBAL __u64 of_context(struct input *in ARG_CTX, __u32 index) {
  volatile struct input *words = in; // at constant offsets
  __u64 first = words->word[0], last = words->word[3];
  return index ? last * index : first;
}

GLOBAL int look_up(__u32 key, struct pair *out) {
  struct pair *pair = bpf_map_lookup_elem(&pairs, &key);
  if (!pair || !out)
    return 0;
  out->sum += pair->sum;
  return add(pair, out->sum) + 1;
}

// Walked in its context: what it relies on, only its callers know.
__attribute__((visibility("hidden"))) GLOBAL __u64 hidden(struct input *in, __u64 *word) {
  *word += in->word[1];
  return *word;
}

SEC("syscall") int numbers(struct input *in) {
  calls = 0;
  __u64 x = mix(in->word[0], in->word[1], in->word[2] & 1);
  x += mix(x, 3, 0);
  return x ^ calls ^ turn(in->word[3] & 3, in->word[2]);
}

SEC("syscall") int stack_memory(struct input *in) {
  struct pair pair = {.count = 1, .sum = in->word[0]};
  int first = add(&pair, in->word[1]), none = add(0, 1);
  return first + none + pair.count * 5 + pair.sum;
}

SEC("syscall") int map_memory(struct input *in) {
  struct pair own = {.count = 0, .sum = in->word[3]};
  struct pair old = {};
  __u32 key = in->word[0] & 7;
  bpf_map_update_elem(&pairs, &key, &old, BPF_ANY);
  int found = look_up(key, &own);
  return found * 1000 + look_up(key, &own) * 10 + own.sum;
}

SEC("syscall") int global_memory(struct input *in) {
  total.count = 0;
  total.sum = in->word[2];
  return add_twice(&total, in->word[1]) + total.count * 3 + total.sum;
}

SEC("syscall") int bytes_at_odd_places(struct input *in) {
  __u8 bytes[24];
  __builtin_memcpy(bytes, in, sizeof bytes);
  int sum = sum_bytes((void *)bytes, 3);
  sum += sum_bytes((void *)(bytes + 1), 5);
  sum += sum_bytes((void *)(bytes + 11), 7);
  return sum;
}

SEC("syscall") int words_at_odd_places(struct input *in) {
  __u8 bytes[32];
  __u64 x = 0;
  __builtin_memcpy(bytes, in, sizeof bytes);
  x += unaligned((void *)bytes);
  x += unaligned((void *)(bytes + 3));
  x += unaligned((void *)(bytes + 21));
  return x + sum_bytes((void *)(bytes + 2), 3) + sum_bytes((void *)(bytes + 20), 11);
}

SEC("syscall") int atomics(struct input *in) {
  __u32 words[2] = {in->word[0], in->word[1]};
  struct pair *pair;
  __u32 key = 1, sum = 0;
  sum += count_up(&words[0], 5) + count_up(&words[1], in->word[2]);
  pair = bpf_map_lookup_elem(&pairs, &key);
  if (!pair)
    return 1;
  pair->count = 3;
  sum += count_up(&pair->count, in->word[3]);
  return sum + words[0] * 3 + words[1] * 5 + pair->count;
}

SEC("syscall") int context(struct input *in) {
  __u64 x = in->word[0];
  return of_context(in, x & 7) + of_context(in, 2) + hidden(in, &x);
}

char LICENSE[] SEC("license") = "GPL";
