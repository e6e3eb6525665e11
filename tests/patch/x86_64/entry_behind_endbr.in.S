// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // a program that reads its first argument
  endbr64
  sub $0x1000, %rsp
  ret
  .globl program
  .set program, 0x4100000
  .globl ctx_reads
  .set ctx_reads, 0x4000
  .globl clobbers
  .set clobbers, 0x801
  .globl entry_programs
  .set entry_programs, 1
