// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // the first argument, the stack pointer and the address, in two programs that change little
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  ret
  .globl program
  .set program, 0x4100000
  .globl site_data
  .set site_data, 0x4000700
  .globl ctx_reads
  .set ctx_reads, 0x405
  .globl clobbers
  .set clobbers, 0x8400
  .globl armed
  .set armed, 0x4000180
  .globl entry_programs
  .set entry_programs, 2
