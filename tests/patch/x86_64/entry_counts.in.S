// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // a program that reads nothing of the context and clobbers what the convention allows
  push %rbp
  mov %rsp, %rbp
  push %rbx
  ret
  .globl program
  .set program, 0x4100000
  .globl entry_programs
  .set entry_programs, 1
