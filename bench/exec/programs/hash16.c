// SPDX-License-Identifier: MIT
// A flow table: a 16-byte key built on the stack, counters behind it.
#include "program.h"

struct flow {
  __u32 from, to;
  __u16 from_port, to_port;
  __u8 protocol, rest[3];
};
struct counters {
  __u64 packets, bytes;
};

MAP(0, flows, BPF_MAP_TYPE_HASH, 256, struct flow, struct counters);

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 8; ++i) {
    const __u64 word = words[i];
    struct flow flow = {.from = (__u32)word & 15,
                        .to = (__u32)(word >> 32) & 7,
                        .from_port = (__u16)(word >> 20) & 1,
                        .to_port = 443,
                        .protocol = 6};
    struct counters *known = bpf_map_lookup_elem(&flows, &flow);
    if (known) {
      known->packets += 1;
      known->bytes += word & 1023;
      sum += known->bytes;
    } else {
      const struct counters fresh = {1, word & 1023};
      bpf_map_update_elem(&flows, &flow, &fresh, BPF_ANY);
    }
  }
  return (int)sum;
}
