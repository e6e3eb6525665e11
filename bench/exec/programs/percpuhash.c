// SPDX-License-Identifier: MIT
// Counters of each CPU in a hash.
#include "program.h"

MAP(0, counts, BPF_MAP_TYPE_PERCPU_HASH, 512, __u64, __u64);

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 16; ++i) {
    const __u64 key = words[i & 7] >> (i * 2) & 127, one = 1;
    __u64 *count = bpf_map_lookup_elem(&counts, &key);
    if (count) {
      *count += 1;
      sum += key;
    } else {
      bpf_map_update_elem(&counts, &key, &one, BPF_ANY);
    }
  }
  return (int)sum;
}
