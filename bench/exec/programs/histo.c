// SPDX-License-Identifier: MIT
// A histogram by powers of two, counted atomically.
#include "program.h"

MAP(0, buckets, BPF_MAP_TYPE_ARRAY, 64, __u32, __u64);

static __always_inline __u32 log2_of(__u64 x) {
  __u32 result = 0;
  if (x >> 32)
    x >>= 32, result += 32;
  if (x >> 16)
    x >>= 16, result += 16;
  if (x >> 8)
    x >>= 8, result += 8;
  if (x >> 4)
    x >>= 4, result += 4;
  if (x >> 2)
    x >>= 2, result += 2;
  return result + (__u32)(x >> 1);
}

PROGRAM {
  WORDS;
  __u32 sum = 0;
  for (int i = 0; i < 16; ++i) {
    const __u32 bucket = log2_of(words[i & 7] >> (i * 3));
    __u64 *count = bpf_map_lookup_elem(&buckets, &bucket);
    if (!count)
      continue;
    __sync_fetch_and_add(count, 1);
    sum += bucket;
  }
  return (int)sum;
}
