// SPDX-License-Identifier: MIT
// Bubble sort of 32 numbers on the stack.
#include "program.h"

PROGRAM {
  BYTES(__u32, list, 32);
  for (int end = 31; end > 0; --end) {
    for (int i = 0; i < 31; ++i) {
      if (i >= end)
        break;
      const __u32 a = list[i], b = list[i + 1];
      // All ones when they stand in the wrong order, from the sign of the difference.
      const __u32 swap = (__u32)(((__s64)b - (__s64)a) >> 63) & (a ^ b);
      list[i] = a ^ swap;
      list[i + 1] = b ^ swap;
    }
  }
  __u32 check = (__u32)in->words[0];
  for (int i = 0; i < 32; ++i)
    check = check * 33 + list[i];
  return (int)check;
}
