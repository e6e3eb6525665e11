// SPDX-License-Identifier: MIT
// A hash written by update: starts and ends of requests, remembered and forgotten.
#include "program.h"

struct start {
  __u64 time, size;
};

MAP(0, starts, BPF_MAP_TYPE_HASH, 256, __u64, struct start);

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 8; ++i) {
    const __u64 id = words[i] & 63;
    const struct start start = {(__u64)i * 100, words[i] & 4095};
    bpf_map_update_elem(&starts, &id, &start, BPF_ANY);
  }
  for (int i = 0; i < 8; ++i) {
    const __u64 id = words[i] & 63;
    const struct start *start = bpf_map_lookup_elem(&starts, &id);
    if (start)
      sum += start->time + start->size;
    if ((i & 3) == 0)
      bpf_map_delete_elem(&starts, &id);
  }
  return (int)sum;
}
