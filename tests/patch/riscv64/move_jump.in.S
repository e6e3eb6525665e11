// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // does not go on
  c.addi a0, 1
  c.addi a0, 2
  .option norvc
  j 1f
  .option rvc
  nop
1:
  ret
