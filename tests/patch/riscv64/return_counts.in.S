// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // frames are pushed and popped without a call where nothing is special
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  ret
  .globl program
  .set program, 0x4100000
  .globl push_slow
  .set push_slow, 0x4000200
  .globl pop_slow
  .set pop_slow, 0x4000300
  .globl threads
  .set threads, 0x7f0012340000
  .globl return_programs
  .set return_programs, 1
