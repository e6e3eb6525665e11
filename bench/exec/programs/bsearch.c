// SPDX-License-Identifier: MIT
// Binary search in a sorted table on the stack.
#include "program.h"

PROGRAM {
  __u32 table[64], last = (__u32)in->words[1] & 1023, found = (__u32)in->words[2];
  __u64 x = in->words[0] | 1;
  for (int i = 0; i < 64; ++i) {
    x = x * 0x5851f42d4c957f2d + 1;
    last += (__u32)(x >> 40) + 1;
    table[i] = last;
  }
  for (int i = 0; i < 24; ++i) {
    x = x * 0x5851f42d4c957f2d + 1;
    const __u32 wanted = (__u32)((x >> 32) * last >> 32);
    __u32 low = 0;
    for (__u32 half = 32; half != 0; half /= 2)
      if (table[(low + half) & 63] <= wanted)
        low += half;
    found = found * 31 + low;
  }
  return (int)found;
}
