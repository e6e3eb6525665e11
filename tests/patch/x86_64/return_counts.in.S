// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // the return address goes to the shadow stack, the way back through the program
  push %rbp
  mov %rsp, %rbp
  push %rbx
  ret
  .globl program
  .set program, 0x4100000
  .globl clobbers
  .set clobbers, 0x801
  .globl threads
  .set threads, 0x5000000
  .globl push_slow
  .set push_slow, 0x4200000
  .globl pop_slow
  .set pop_slow, 0x4200100
  .globl return_programs
  .set return_programs, 1
