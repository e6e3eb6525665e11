// SPDX-License-Identifier: MIT
// All elements of an array, by bpf_for_each_map_elem().
#include "program.h"

MAP(0, table, BPF_MAP_TYPE_ARRAY, 64, __u32, __u64);

struct state {
  __u64 seed, sum;
};

EACH_CALLBACK(visit, __u32, __u64) {
  struct state *state = context;
  (void)map;
  *value = state->seed ^ (__u64)*key << 7;
  state->sum += *value >> 3;
  return 0;
}

PROGRAM {
  struct state state = {.seed = in->words[0], .sum = in->words[1]};
  const long seen = bpf_for_each_map_elem(&table, visit, &state, 0);
  return (int)(state.sum ^ state.sum >> 32) + (int)seen;
}
