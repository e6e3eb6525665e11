// SPDX-License-Identifier: MIT
// cpu: v4
// Signed division and sign extension: fixed-point filters over samples of 8, 16 and 32 bits.
#include "program.h"

PROGRAM {
  BYTES(__s16, samples, 64);
  __s64 level = 0;
  __s32 peak = 0, turns = 0;
  const __s64 weight = (__s64)(in->words[0] & 15) + 3;
  for (int i = 0; i < 64; ++i) {
    const __s32 sample = samples[i];
    const __s8 fine = (__s8)sample;
    level += (((__s64)sample << 16) - level) / weight;
    if (sample / 7 > peak)
      peak = sample / 7;
    turns += (sample % 13 < 0) + fine / 5;
  }
  return (int)(level ^ peak ^ turns);
}
