// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  .option rvc
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  .option norvc
  address_of ra, function + 8
  jump_to function, t1
  jump_to function + 8, t1
  ebreak
