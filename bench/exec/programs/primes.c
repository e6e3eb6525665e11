// SPDX-License-Identifier: MIT
// Primes below 400 by trial division.
#include "program.h"

PROGRAM {
  const __u32 limit = 400 - (__u32)(in->words[0] & 1);
  __u32 count = (__u32)in->words[1];
  for (__u32 n = 2; n < 400; ++n) {
    if (n >= limit)
      break;
    __u32 is_prime = 1;
    for (__u32 d = 2; d < 20; ++d) {
      if (d * d > n)
        break;
      if (n % d == 0) {
        is_prime = 0;
        break;
      }
    }
    count += is_prime;
  }
  return (int)count;
}
