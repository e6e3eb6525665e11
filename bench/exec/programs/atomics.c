// SPDX-License-Identifier: MIT
// Atomic addition, exchange and compare-and-exchange on global variables.
#include "program.h"

static __u64 total, last, greatest;
static __u32 flags;

PROGRAM {
  WORDS;
  __u64 sum = 0;
  for (int i = 0; i < 8; ++i) {
    const __u64 word = words[i] >> 8;
    sum += __sync_fetch_and_add(&total, word);
    sum ^= __sync_lock_test_and_set(&last, word);
    __sync_fetch_and_or(&flags, 1u << i);
    const __u64 old = greatest;
    if (word > old)
      __sync_val_compare_and_swap(&greatest, old, word);
  }
  return (int)(sum ^ flags);
}
