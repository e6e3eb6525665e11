// SPDX-License-Identifier: MIT
// Functions that are called, not inlined, with numbers and with a pointer to the caller's stack.
#include "program.h"

struct state {
  __u64 a, b;
};

static __noinline __u64 mix(__u64 a, __u64 b, __u64 c) {
  a ^= b * 0xff51afd7ed558ccd;
  return (a << 27 | a >> 37) + c;
}

static __noinline int step(struct state *state, __u64 word) {
  if (!state)
    return 0;
  state->a = mix(state->a, word, state->b);
  state->b += mix(word, state->a, 11);
  return (int)(state->b & 3);
}

PROGRAM {
  struct state state = {in->words[0], in->words[1]};
  __u32 sum = 0;
  for (int i = 0; i < 48; ++i)
    sum += (__u32)step(&state, in->words[2] + (__u64)i);
  return (int)(sum + state.a + (state.b >> 32));
}
