// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // a program that may change everything and reads nothing
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  ret
  .globl program
  .set program, 0x4100000
  .globl entry_programs
  .set entry_programs, 1
