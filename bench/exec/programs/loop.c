// SPDX-License-Identifier: MIT
// A loop by bpf_loop(): a checksum whose callback keeps its state on the caller's stack and leaves early.
#include "program.h"

struct state {
  __u64 sum, word, end;
};

LOOP_CALLBACK(add_word) {
  struct state *state = context;
  state->sum = (state->sum << 5 | state->sum >> 59) ^ (state->word + index);
  state->word = state->word * 0x9e3779b97f4a7c15 + 1;
  return state->word == state->end;
}

PROGRAM {
  struct state state = {.sum = in->words[0], .word = in->words[1], .end = in->words[2]};
  const long rounds = bpf_loop(100, add_word, &state, 0);
  return (int)(state.sum ^ state.sum >> 32) + (int)rounds;
}
