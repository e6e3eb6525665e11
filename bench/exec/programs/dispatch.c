// SPDX-License-Identifier: MIT
// A byte-code machine: one switch of sixteen cases in a loop.
#include "program.h"

PROGRAM {
  BYTES(__u8, code, 128);
  __u64 a = in->words[0], b = in->words[1], c = 1;
  for (int i = 0; i < 128; ++i) {
    switch (code[i] & 15) {
    case 0: a += b; break;
    case 1: a -= c; break;
    case 2: b ^= a; break;
    case 3: c = c * 5 + 1; break;
    case 4: a = a << 3 | a >> 61; break;
    case 5: b += 0x9e3779b97f4a7c15; break;
    case 6: c ^= b >> 7; break;
    case 7: a *= 3; break;
    case 8: b -= a >> 5; break;
    case 9: c += a & b; break;
    case 10: a |= 1; break;
    case 11: b = ~b; break;
    case 12: c <<= 1; break;
    case 13: a ^= c << 4; break;
    case 14: b = b >> 9 | b << 55; break;
    default: c -= 3; break;
    }
  }
  a ^= b + c;
  return (int)(a ^ a >> 32);
}
