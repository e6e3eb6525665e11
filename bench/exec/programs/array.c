// SPDX-License-Identifier: MIT
// Counters in an array, found by index.
#include "program.h"

MAP(0, counters, BPF_MAP_TYPE_ARRAY, 64, __u32, __u64);

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 32; ++i) {
    const __u32 index = (__u32)(words[i & 7] >> (i & 24)) & 63;
    __u64 *value = bpf_map_lookup_elem(&counters, &index);
    if (!value)
      return -1;
    *value += (__u64)i + index;
    sum += *value;
  }
  return (int)sum;
}
