// SPDX-License-Identifier: MIT
// Events built on the stack and copied into a ring buffer.
#include "program.h"

struct event {
  __u64 time, kind;
  char name[16];
};

RING(0, events, 1 << 20);

PROGRAM {
  WORDS;
  __u32 sent = 0;
  for (int i = 0; i < 4; ++i) {
    struct event event = {words[i], (__u64)i, "request"};
    sent += bpf_ringbuf_output(&events, &event, sizeof event, BPF_RB_NO_WAKEUP) == 0;
  }
  return (int)sent;
}
