// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // the opposite branch leads over a jump
  .option norvc
  bltu a0, a1, 1f
  .option rvc
  c.addi a0, 1
  c.addi a0, 2
  c.addi a0, 3
1:
  ret
