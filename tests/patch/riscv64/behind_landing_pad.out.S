// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  .option rvc
  c.addi a0, 1
  c.addi a0, 2
  c.addi a0, 3
  c.addi a0, 4
  .option norvc
  jump_to function + 12, t2
  ebreak
