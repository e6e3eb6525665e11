// SPDX-License-Identifier: MIT
// CRC-32 of 128 bytes by nibbles, with tables in .rodata.
#include "program.h"

static const volatile __u32 crc_low[16] = {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
    0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91};
static const volatile __u32 crc_high[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};

PROGRAM {
  BYTES(__u8, text, 128);
  __u32 crc = ~0u;
  for (int i = 0; i < 128; ++i) {
    const __u32 byte = (crc ^ text[i]) & 0xff;
    crc = crc_low[byte & 15] ^ crc_high[byte >> 4] ^ crc >> 8;
  }
  return (int)~crc;
}
