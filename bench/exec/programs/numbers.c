// SPDX-License-Identifier: MIT
// Decimal numbers out of a text, with signs: what stands between two that are no digits counts.
#include "program.h"

PROGRAM {
  BYTES(__u8, text, 256);
  __u64 number = in->words[0], sum = in->words[1], product = in->words[2], sign = in->words[3];
  for (int i = 0; i < 256; ++i) {
    const __u32 digit = (__u32)text[i] - '0';
    if (digit < 10) {
      number = number * 10 + digit;
    } else {
      number = (number ^ sign) - sign;
      sum += number;
      product = product * 5 + number;
      sign = digit * (in->words[3] | 1);
      number = digit + in->words[0];
    }
  }
  return (int)(sum * 3 + product);
}
