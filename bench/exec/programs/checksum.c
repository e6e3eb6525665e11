// SPDX-License-Identifier: MIT
// The Internet checksum of a header, field by field in network byte order, as it is counted down.
#include "program.h"

PROGRAM {
  BYTES(__u16, packet, 64);
  __u32 total = 0;
  for (int round = 0; round < 8; ++round) {
    __u32 sum = 0;
    packet[5] = 0;
    for (int i = 0; i < 64; ++i)
      sum += __builtin_bswap16(packet[i]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[5] = __builtin_bswap16((__u16)~sum);
    packet[4] = __builtin_bswap16((__u16)(__builtin_bswap16(packet[4]) - 1));
    total = total * 5 + packet[5];
  }
  return (int)total;
}
