// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // a signed return address is made plain, and ours is signed
  hint #25
  stp x29, x30, [sp, #-16]!
  ret
  .globl program
  .set program, 0x4100000
  .globl clobbers
  .set clobbers, 0x3
  .globl push_slow
  .set push_slow, 0x4000200
  .globl pop_slow
  .set pop_slow, 0x4000300
  .globl threads
  .set threads, 0x7f0012340000
  .globl return_programs
  .set return_programs, 1
