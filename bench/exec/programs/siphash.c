// SPDX-License-Identifier: MIT
// SipHash-2-4 over 128 bytes.
#include "program.h"

static __always_inline __u64 turn(__u64 x, int by) { return x << by | x >> (64 - by); }

#define ROUND                                                                                      \
  do {                                                                                             \
    v0 += v1, v1 = turn(v1, 13) ^ v0, v0 = turn(v0, 32);                                           \
    v2 += v3, v3 = turn(v3, 16) ^ v2;                                                              \
    v0 += v3, v3 = turn(v3, 21) ^ v0;                                                              \
    v2 += v1, v1 = turn(v1, 17) ^ v2, v2 = turn(v2, 32);                                           \
  } while (0)

PROGRAM {
  BYTES(__u64, text, 16);
  __u64 v0 = in->words[0] ^ 0x736f6d6570736575, v1 = in->words[1] ^ 0x646f72616e646f6d;
  __u64 v2 = in->words[0] ^ 0x6c7967656e657261, v3 = in->words[1] ^ 0x7465646279746573;
  for (int i = 0; i < 16; ++i) {
    v3 ^= text[i];
    ROUND;
    ROUND;
    v0 ^= text[i];
  }
  v3 ^= (__u64)128 << 56;
  ROUND;
  ROUND;
  v0 ^= (__u64)128 << 56;
  v2 ^= 0xff;
  ROUND;
  ROUND;
  ROUND;
  ROUND;
  v0 ^= v1 ^ v2 ^ v3;
  return (int)(v0 ^ v0 >> 32);
}
