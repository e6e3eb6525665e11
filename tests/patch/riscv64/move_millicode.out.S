// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  address_of t0, function + 0x1000
  addi t1, t0, 8
  address_of t0, function + 8
  jalr zero, 0(t1)
  jump_to function + 8, t1
  ebreak
