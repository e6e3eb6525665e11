// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  .option rvc
  c.li a0, 1
  c.jr ra
  c.nop
  c.nop
  .option norvc
  ebreak
