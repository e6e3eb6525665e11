// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  .option rvc
  c.mv a0, t1
  c.mv a1, t2
  c.li t3, 3
  c.addi a0, 1
  .option norvc
  jump_to function + 8, t1
  ebreak
