// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  bne a0, zero, 12
  jump_to function + 8, t1
  .option rvc
  c.addi a0, 1
  c.addi a0, 2
  c.addi a0, 3
  .option norvc
  jump_to function + 8, t1
  ebreak
