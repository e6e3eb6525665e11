// SPDX-License-Identifier: MIT
// A word looked up in a list of words, byte by byte.
#include "program.h"

static __always_inline int differs(const char *a, const char *b) {
  for (int i = 0; i < 16; ++i) {
    if (a[i] != b[i])
      return 1;
    if (a[i] == 0)
      return 0;
  }
  return 0;
}

PROGRAM {
  char list[8][16] = {"connection",      "content-length", "content-type", "cookie",
                      "accept-language", "accept",         "host",         "user-agent"};
  char wanted[16];
  __u64 number = in->words[0];
  __u32 found = (__u32)in->words[1];
  for (int round = 0; round < 16; ++round) {
    const char *from = list[number & 7];
    for (int i = 0; i < 16; ++i)
      wanted[i] = from[i];
    wanted[12] ^= (char)(round & 1);
    number = number >> 5 | number << 59;
    for (int i = 0; i < 8; ++i)
      if (!differs(wanted, list[i]))
        found = found * 9 + (__u32)i + 1;
  }
  return (int)found;
}
