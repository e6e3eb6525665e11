// SPDX-License-Identifier: MIT
// A request: method, path, how many lines, and a hash of what follows without regard to case.
#include "program.h"

PROGRAM {
  BYTES(__u8, text, 256);
  __u32 method = (__u32)in->words[0], path = (__u32)in->words[1];
  __u32 lines = (__u32)in->words[2], names = (__u32)in->words[3];
  int i = 0;
  for (; i < 8 && text[i] != ' '; ++i)
    method = method << 8 | text[i];
  ++i;
  for (; i < 64 && text[i] != ' ' && text[i] != '?'; ++i)
    path = path * 33 ^ text[i];
  for (int k = 0; k < 192; ++k) {
    const __u8 c = text[k + 64];
    if (c == '\n') {
      ++lines;
      continue;
    }
    names = names * 31 + (__u8)(c - 'A' < 26u ? c + 32 : c);
  }
  return (int)(method ^ path ^ names * 7 ^ lines);
}
