// SPDX-License-Identifier: MIT
// A ClientHello's extensions: lengths checked, the server's name hashed.
#include "program.h"

static __always_inline __u32 be16(const __u8 *p) { return (__u32)p[0] << 8 | p[1]; }

PROGRAM {
  BYTES(__u8, hello, 256);
  if (hello[0] != 22 || hello[1] != 3)
    return -1;
  __u32 at = 43;
  at += 1 + (__u32)(hello[at] & 31);
  at += 2 + (be16(hello + (at & 127)) & 63);
  at += 1 + (__u32)(hello[at & 127] & 7);
  at += 2;
  __u32 seen = 0, name = 0;
  for (int i = 0; i < 8; ++i) {
    if (at > 240)
      break;
    const __u32 kind = be16(hello + at), size = be16(hello + at + 2);
    seen = seen * 17 + kind;
    if (kind == 0) {
      if (at > 180)
        break;
      for (__u32 k = 0; k < 24; ++k) {
        if (k + 5 >= size)
          break;
        name = (name ^ hello[at + 9 + k]) * 16777619;
      }
    }
    at += 4 + size;
  }
  return (int)(seen ^ name);
}
