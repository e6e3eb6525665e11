// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // an unwinder begins here
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  ret
  .globl sweep
  .set sweep, 0x4000300
  .globl sweeps
  .set sweeps, 1
