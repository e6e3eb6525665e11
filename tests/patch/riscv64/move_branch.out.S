// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  bgeu a0, a1, 12
  jump_to function + 10, t1
  .option rvc
  c.addi a0, 1
  c.addi a0, 2
  .option norvc
  jump_to function + 8, t1
  ebreak
