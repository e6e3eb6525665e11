// SPDX-License-Identifier: MIT
// Bob Jenkins' lookup3 mixing over 240 bytes, twelve at a time.
#include "program.h"

static __always_inline __u32 turn(__u32 x, int by) { return x << by | x >> (32 - by); }

PROGRAM {
  BYTES(__u32, key, 60);
  __u32 a = 0xdeadbeef + sizeof key, b = a, c = a + (__u32)in->words[0];
  for (int i = 0; i < 60; i += 3) {
    a += key[i];
    b += key[i + 1];
    c += key[i + 2];
    a -= c, a ^= turn(c, 4), c += b;
    b -= a, b ^= turn(a, 6), a += c;
    c -= b, c ^= turn(b, 8), b += a;
    a -= c, a ^= turn(c, 16), c += b;
    b -= a, b ^= turn(a, 19), a += c;
    c -= b, c ^= turn(b, 4), b += a;
  }
  c ^= b, c -= turn(b, 14);
  a ^= c, a -= turn(c, 11);
  b ^= a, b -= turn(a, 25);
  c ^= b, c -= turn(b, 16);
  return (int)c;
}
