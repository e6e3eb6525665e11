// SPDX-License-Identifier: MIT
// Bytes to hexadecimal text and back.
#include "program.h"

PROGRAM {
  BYTES(__u8, bytes, 64);
  __u8 text[128], back[64];
  for (int i = 0; i < 64; ++i) {
    const __s32 high = bytes[i] >> 4, low = bytes[i] & 15;
    text[2 * i] = (__u8)('0' + high + (((9 - high) >> 8) & ('a' - '9' - 1)));
    text[2 * i + 1] = (__u8)('0' + low + (((9 - low) >> 8) & ('a' - '9' - 1)));
  }
  __u32 check = (__u32)in->words[0];
  for (int i = 0; i < 64; ++i) {
    const __u8 high = text[2 * i], low = text[2 * i + 1];
    back[i] = (__u8)(((high & 15) + 9 * (high >> 6)) << 4 | ((low & 15) + 9 * (low >> 6)));
    check = check * 31 + back[i] + text[i];
  }
  return (int)check;
}
