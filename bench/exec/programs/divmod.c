// SPDX-License-Identifier: MIT
// Division by numbers that are not known at compile time: greatest common divisors, digits in a
// base, an average.
#include "program.h"

PROGRAM {
  WORDS;
  __u64 total = 0;
  for (int i = 0; i < 6; ++i) {
    __u64 a = words[i], b = words[i + 1] >> (i * 9);
    for (int k = 0; k < 100 && b != 0; ++k) {
      const __u64 rest = a % b;
      a = b;
      b = rest;
    }
    total += a;
  }
  const __u32 base = (__u32)(words[1] & 31) + 2;
  __u32 number = (__u32)words[2], digits = 0;
  for (int k = 0; k < 32 && number != 0; ++k) {
    digits = digits * 7 + number % base;
    number /= base;
  }
  const __u64 count = (words[3] & 0xff) + 1;
  return (int)(total + digits + words[4] / count);
}
