// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // t1 is read at once, so the way in takes t3, and the way back t1
  c.mv a0, t1
  c.mv a1, t2
  c.li t3, 3
  c.addi a0, 1
  c.add a0, t3
  ret
