// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  address_of a0, function + 0x10000
  .option rvc
  c.ld a1, 24(a0)
  c.jr ra
  .option norvc
  ebreak
