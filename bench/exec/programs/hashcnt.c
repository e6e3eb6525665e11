// SPDX-License-Identifier: MIT
// Counting by a 4-byte key in a hash: looked up, inserted when new.
#include "program.h"

MAP(0, counts, BPF_MAP_TYPE_HASH, 1024, __u32, __u64);

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 16; ++i) {
    const __u32 key = (__u32)(words[i & 7] >> (i * 2)) & 255;
    const __u64 one = 1;
    __u64 *count = bpf_map_lookup_elem(&counts, &key);
    if (count) {
      __sync_fetch_and_add(count, 1);
      sum += key;
    } else {
      bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
    }
  }
  return (int)sum;
}
