// SPDX-License-Identifier: MIT
// Counters of each CPU, not atomic.
#include "program.h"

MAP(0, counters, BPF_MAP_TYPE_PERCPU_ARRAY, 64, __u32, __u64);

PROGRAM {
  WORDS;
  __u32 sum = 0;
  for (int i = 0; i < 32; ++i) {
    const __u32 index = (__u32)(words[i & 7] >> (i & 24)) & 63;
    __u64 *value = bpf_map_lookup_elem(&counters, &index);
    if (!value)
      return -1;
    *value += (__u64)i;
    sum += index;
  }
  return (int)sum;
}
