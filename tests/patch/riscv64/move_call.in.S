// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // the return address is the original one
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  .option norvc
  jal ra, function
  .option rvc
  ret
