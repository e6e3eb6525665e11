// SPDX-License-Identifier: MIT
// Copies, fills and comparisons of constant size, and loops over bytes that a compiler may widen.
#include "program.h"

PROGRAM {
  BYTES(__u8, a, 128);
  __u8 b[128];
  __u32 sum = (__u32)in->words[1];
  __builtin_memset(b, 0x5a, sizeof b);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 128; ++i)
      b[i] = a[i] ^ b[i];
    __builtin_memcpy(a, b, 64);
    for (int i = 0; i < 128; ++i)
      a[i] += (__u8)in->words[0];
  }
  for (int i = 0; i < 128; ++i)
    sum += a[i];
  return (int)sum;
}
