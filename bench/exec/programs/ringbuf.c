// SPDX-License-Identifier: MIT
// Events written in place into a ring buffer.
#include "program.h"

struct event {
  __u64 time, kind;
  __u32 sizes[12];
};

RING(0, events, 1 << 20);

PROGRAM {
  WORDS;
  __u32 sent = 0;
  for (int i = 0; i < 4; ++i) {
    struct event *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
    if (!event)
      continue;
    event->time = words[i];
    event->kind = (__u64)i;
    for (int k = 0; k < 12; ++k)
      event->sizes[k] = (__u32)(words[0] >> k);
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    ++sent;
  }
  return (int)sent;
}
