// SPDX-License-Identifier: MIT
// Bit tricks on eight words: counting, reversing, parity, Gray code, interleaving.
#include "program.h"

static __always_inline __u64 reverse(__u64 x) {
  x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
  x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
  x = (x & 0x0f0f0f0f0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0f);
  x = (x & 0x00ff00ff00ff00ff) << 8 | (x >> 8 & 0x00ff00ff00ff00ff);
  x = (x & 0x0000ffff0000ffff) << 16 | (x >> 16 & 0x0000ffff0000ffff);
  return x << 32 | x >> 32;
}

static __always_inline __u64 spread(__u32 x) {
  __u64 w = x;
  w = (w | w << 16) & 0x0000ffff0000ffff;
  w = (w | w << 8) & 0x00ff00ff00ff00ff;
  w = (w | w << 4) & 0x0f0f0f0f0f0f0f0f;
  w = (w | w << 2) & 0x3333333333333333;
  return (w | w << 1) & 0x5555555555555555;
}

static __always_inline __u32 parity(__u64 x) {
  for (int shift = 32; shift != 0; shift >>= 1)
    x ^= x >> shift;
  return x & 1;
}

PROGRAM {
  __u64 x = in->words[0], sum = 0;
  for (int i = 0; i < 32; ++i) {
    sum += reverse(x) ^ (x ^ x >> 1);
    sum ^= spread((__u32)x) | spread((__u32)(x >> 32)) << 1;
    sum = sum * 3 + parity(x) + (__u64)__builtin_popcountll(sum);
    x = x * 6364136223846793005 + in->words[1];
  }
  return (int)(sum ^ sum >> 32);
}
