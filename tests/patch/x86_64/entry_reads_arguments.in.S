// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // rdi, rsi, rsp, rip and flags, in a session that can be disarmed, with a cookie
  push %rbp
  mov %rsp, %rbp
  push %rbx
  ret
  .globl program
  .set program, 0x4100000
  .globl site_data
  .set site_data, 0x4000100
  .globl armed
  .set armed, 0x4000040
  .globl ctx_reads
  .set ctx_reads, 0xd6000
  .globl clobbers
  .set clobbers, 0x801
  .globl entry_programs
  .set entry_programs, 1
