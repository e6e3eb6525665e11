// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // the short form is widened
  c.beqz a0, 1f
  c.addi a0, 1
  c.addi a0, 2
  c.addi a0, 3
1:
  ret
