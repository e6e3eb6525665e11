// SPDX-License-Identifier: MIT
// FNV-1a, 32 bits, over 256 bytes.
#include "program.h"

PROGRAM {
  BYTES(__u8, text, 256);
  __u32 hash = 2166136261;
  for (int i = 0; i < 256; ++i)
    hash = (hash ^ text[i]) * 16777619;
  return (int)hash;
}
