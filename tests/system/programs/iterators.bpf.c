// SPDX-License-Identifier: MIT
// Numeric iterators: each program depends on its input alone (four words), so it returns here what it
// returns in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_iter_num {
  __u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __attribute__((weak)) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __attribute__((weak)) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __attribute__((weak)) __ksym;
extern void bpf_no_such_function(void) __attribute__((weak)) __ksym;

// As bpf_for() and bpf_repeat() of newer bpf_helpers.h.
#define for_numbers(i, start, end)                                                                       \
  for (struct bpf_iter_num it __attribute__((cleanup(bpf_iter_num_destroy))),                            \
       *once __attribute__((unused)) =                                                                   \
           (bpf_iter_num_new(&it, (start), (end)), (void)bpf_iter_num_destroy, (void *)0);               \
       ({                                                                                                \
         int *next = bpf_iter_num_next(&it);                                                             \
         (next && ((i) = *next, (i) >= (start) && (i) < (end)));                                         \
       });)
#define repeat(n)                                                                                        \
  for (struct bpf_iter_num it __attribute__((cleanup(bpf_iter_num_destroy))),                            \
       *once __attribute__((unused)) =                                                                   \
           (bpf_iter_num_new(&it, 0, (n)), (void)bpf_iter_num_destroy, (void *)0);                       \
       bpf_iter_num_next(&it);)

struct input {
  __u64 word[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} array SEC(".maps");

int table[64];

SEC("syscall")
int sum_known(struct input *in) {
  int i, sum = (int)in->word[0];
  for_numbers(i, 0, 1000) sum = sum * 31 + i;
  return sum;
}

SEC("syscall")
int sum_unknown(struct input *in) {
  int i, sum = 0, from = (int)in->word[0] & 255, to = (int)in->word[1] & 4095;
  for_numbers(i, from, to) sum += i;
  return sum;
}

// Errors leave an iterator without elements, which is to be destroyed all the same.
SEC("syscall")
int bad_ranges(struct input *in) {
  struct bpf_iter_num it;
  int sum = 0;
  sum += bpf_iter_num_new(&it, 5, 4);
  sum = sum * 10 + !bpf_iter_num_next(&it);
  bpf_iter_num_destroy(&it);
  sum += bpf_iter_num_new(&it, -5, 1 << 23);
  sum = sum * 10 + !bpf_iter_num_next(&it);
  bpf_iter_num_destroy(&it);
  sum += bpf_iter_num_new(&it, 7, 7);
  sum = sum * 10 + !bpf_iter_num_next(&it);
  sum = sum * 10 + !bpf_iter_num_next(&it);
  bpf_iter_num_destroy(&it);
  return sum;
}

// At both ends of the numbers.
SEC("syscall")
int extremes(struct input *in) {
  struct bpf_iter_num it;
  int sum = 0, *n;
  bpf_iter_num_new(&it, -2147483647 - 1, -2147483647);
  while ((n = bpf_iter_num_next(&it)))
    sum += *n >> 3;
  bpf_iter_num_destroy(&it);
  bpf_iter_num_new(&it, 2147483645, 2147483647);
  while ((n = bpf_iter_num_next(&it)))
    sum ^= *n;
  bpf_iter_num_destroy(&it);
  return sum + (int)in->word[2];
}

SEC("syscall")
int most_numbers(struct input *in) {
  unsigned sum = 0;
  repeat(1 << 23) sum = sum * 5 + 1;
  return (int)sum;
}

SEC("syscall")
int nested(struct input *in) {
  int i, k, sum = 0, rows = (int)(in->word[0] & 7) + 1;
  for_numbers(i, 0, rows) {
    for_numbers(k, i, 9) {
      if (((i * k + (int)in->word[1]) & 7) == 5)
        break;
      sum += i * 10 + k;
    }
  }
  return sum;
}

SEC("syscall")
int fills_a_table(struct input *in) {
  int i, sum = 0;
  for_numbers(i, 0, 64) table[i] = i * i + (int)in->word[3];
  for_numbers(i, 0, 64) {
    if (i & 1)
      continue;
    sum = sum * 3 + table[i];
  }
  return sum;
}

SEC("syscall")
int looks_up(struct input *in) {
  int i, sum = 0;
  for_numbers(i, 0, 20) {
    __u32 key = i;
    __u64 *value = bpf_map_lookup_elem(&array, &key);
    if (!value)
      break;
    *value = i * in->word[0];
    sum += (int)*value;
  }
  return sum;
}

static __attribute__((noinline)) int through_function(struct bpf_iter_num *it, int limit) {
  int *n, count = 0;
  while ((n = bpf_iter_num_next(it))) {
    if (*n > limit)
      break;
    count++;
  }
  return count;
}

SEC("syscall")
int in_function(struct input *in) {
  struct bpf_iter_num it;
  int count;
  bpf_iter_num_new(&it, 3, 90);
  count = through_function(&it, 40) * 1000;
  count += through_function(&it, (int)in->word[0] & 127);
  bpf_iter_num_destroy(&it);
  return count;
}

SEC("syscall")
int exists(struct input *in) {
  int known = bpf_iter_num_new ? 1 : 0;
  if (bpf_no_such_function) {
    bpf_no_such_function();
    known |= 2;
  }
  return known;
}

char LICENSE[] SEC("license") = "GPL";
