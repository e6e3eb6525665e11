// SPDX-License-Identifier: MIT
// All elements of a hash, by bpf_for_each_map_elem(), after two of them were written.
#include "program.h"

MAP(0, table, BPF_MAP_TYPE_HASH, 64, __u64, __u64);

EACH_CALLBACK(visit, __u64, __u64) {
  __u64 *sum = context;
  (void)map;
  *sum += *key ^ *value;
  return 0;
}

PROGRAM {
  __u64 key = in->words[0] & 31, value = in->words[1], sum = 0;
  bpf_map_update_elem(&table, &key, &value, BPF_ANY);
  key = 32 + (in->words[2] & 31);
  bpf_map_update_elem(&table, &key, &value, BPF_ANY);
  const long seen = bpf_for_each_map_elem(&table, visit, &sum, 0);
  return (int)(sum ^ sum >> 32) + (int)seen;
}
