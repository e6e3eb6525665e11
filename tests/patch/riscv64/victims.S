# SPDX-License-Identifier: MIT
# Functions for execute.cpp: one for each kind of instruction that a jump may have to replace, in a form
# that shows in registers whether the moved instruction did the same. None of them is ordinary code.
  .text

.macro victim name
  .balign 2
  .globl \name
  .type \name, @function
\name:
.endm
.macro done name
  .size \name, . - \name
.endm

  .option norelax

victim v_prologue
  addi sp, sp, -32
  sd ra, 24(sp)
  sd s0, 16(sp)
  addi s0, sp, 32
  add a0, a0, a1
  ld s0, 16(sp)
  ld ra, 24(sp)
  addi sp, sp, 32
  ret
done v_prologue

victim v_four_byte_insns
  .option push
  .option norvc
  addi a0, a0, 1
  xor a1, a1, a0
  mulw a2, a1, a0
  ret
  .option pop
done v_four_byte_insns

victim v_address              # both halves are covered
  lla a0, v_address
  sub a0, a0, sp
  add a0, a0, sp
  ret
done v_address

victim v_address_split        # the second half stays behind
  addi a1, a1, 3
  add a2, a2, a1
1: auipc a0, %pcrel_hi(v_data)
  addi a1, a1, 3
  ld a3, %pcrel_lo(1b)(a0)
  ret
done v_address_split

victim v_jump
  .option push
  .option norvc
  j 1f
  .option pop
  addi a0, a0, 100
  addi a0, a0, 100
1: addi a0, a0, 1
  ret
done v_jump

victim v_short_jump
  c.addi a0, 1
  c.j 1f
  c.nop
  c.nop
  addi a0, a0, 100
1: addi a0, a0, 1
  ret
done v_short_jump

.macro branches name insn first second
victim \name
  .option push
  .option norvc
  \insn \first, \second, 1f
  .option pop
  c.addi a0, 1
  c.addi a1, 2
  addi a0, a0, 10
1: addi a2, a2, 5
  ret
done \name
.endm
  branches v_beq, beq, a3, a4
  branches v_bne, bne, a3, a4
  branches v_blt, blt, a3, a4
  branches v_bge, bge, a3, a4
  branches v_bltu, bltu, a3, a4
  branches v_bgeu, bgeu, a3, a4

victim v_beqz
  c.addi a0, 1
  c.beqz a3, 1f
  c.addi a0, 4
  c.addi a1, 4
  addi a0, a0, 10
1: addi a2, a2, 5
  ret
done v_beqz

victim v_bnez
  c.bnez a3, 1f
  c.addi a0, 1
  c.addi a0, 4
  c.addi a1, 4
  addi a0, a0, 10
1: addi a2, a2, 5
  ret
done v_bnez

victim v_call                 # the call is the last of 8 bytes
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  .option push
  .option norvc
  jal ra, v_callee
  .option pop
  c.ldsp ra, 8(sp)
  c.addi sp, 16
  ret
done v_call

victim v_call_far             # through the link register itself
  c.addi sp, -16
  c.sdsp ra, 8(sp)
1: auipc ra, %pcrel_hi(v_callee)
  jalr ra, %pcrel_lo(1b)(ra)
  c.ldsp ra, 8(sp)
  c.addi sp, 16
  ret
done v_call_far

victim v_call_indirect
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.mv a5, a4
  c.jalr a4
  c.ldsp ra, 8(sp)
  c.addi sp, 16
  ret
done v_call_indirect

victim v_callee               # keeps where it was called from
  mv a2, ra
  addi a0, a0, 7
  ret
done v_callee

victim v_millicode
  .option push
  .option norvc
  jal t0, v_save
  .option pop
  addi a0, a0, 1
  mv a0, s0
  ld ra, 8(sp)
  ld s0, 0(sp)
  addi sp, sp, 16
  ret
done v_millicode

victim v_millicode_far
1: auipc t0, %pcrel_hi(v_save)
  jalr t0, %pcrel_lo(1b)(t0)
  mv a0, s0
  ld ra, 8(sp)
  ld s0, 0(sp)
  addi sp, sp, 16
  ret
done v_millicode_far

victim v_save
  addi sp, sp, -16
  sd ra, 8(sp)
  sd s0, 0(sp)
  mv s0, t0
  jr t0
done v_save

victim v_tail_indirect
  c.addi a0, 1
  c.addi a0, 1
  c.addi a0, 1
  c.jr a4
done v_tail_indirect

victim v_syscall
  li a7, 172
  ecall
  sub a0, a0, a0
  ret
done v_syscall

victim v_floating
  fadd.d fa0, fa0, fa1
  fsd fa0, -8(sp)
  fcvt.l.d a0, fa0
  ret
done v_floating

victim v_atomic
  addi sp, sp, -16
  sd zero, 0(sp)
  amoadd.d a1, a0, (sp)
  fence rw, rw
  ld a0, 0(sp)
  addi sp, sp, 16
  ret
done v_atomic

victim v_return_only          # padding behind it is replaced too
  ret
done v_return_only
  c.nop
  c.nop
  c.nop

victim v_landing_pad
  auipc zero, 0
  addi a0, a0, 1
  addi a1, a1, 1
  addi a2, a2, 1
  c.addi a2, 1
  ret
done v_landing_pad

victim v_temporaries          # arguments where nobody expects them
  add a0, a0, t1
  add a0, a0, t2
  c.add a0, t3
  c.add a0, t4
  ret
done v_temporaries

victim v_long                 # for probes in the middle
  addi sp, sp, -48
  sd ra, 40(sp)
  sd s0, 32(sp)
  sd s1, 24(sp)
  mv s0, a0
  mv s1, a1
  li a2, 77
  lui a3, 0x12345
  addiw a3, a3, 0x67
  auipc a4, 0
  lla a5, v_data
  sub a4, a4, a5
  ld a5, 0(a5)
  add t1, s0, s1
  mul t3, t1, a2
  xor a0, t1, t3
  beqz a0, 1f
  add a0, a0, a5
1: add a0, a0, a3
  add a0, a0, a4
  sd a0, 0(sp)
  call v_callee
  ld a1, 0(sp)
  add a0, a0, a1
  lla a2, v_data
  j 2f
  nop
2: ld s1, 24(sp)
  ld s0, 32(sp)
  ld ra, 40(sp)
  addi sp, sp, 48
  ret
done v_long

victim v_recursive            # f(n): n == 0 ? 0 : n + f(n - 1)
  addi sp, sp, -16
  sd ra, 8(sp)
  sd s0, 0(sp)
  mv s0, a0
  beqz a0, 1f
  addi a0, a0, -1
  call v_recursive
1: add a0, a0, s0
  ld s0, 0(sp)
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
done v_recursive

victim v_tail_call
  addi a0, a0, 1
  addi a0, a0, 1
  addi a0, a0, 1
  j v_prologue
done v_tail_call

victim v_reserved
1: lr.d a1, (a0)
  addi a1, a1, 1
  sc.d a2, a1, (a0)
  bnez a2, 1b
  ret
done v_reserved

# Room for the long jumps that short ones lead to.
  .balign 4
  .globl v_gaps
v_gaps:
  .space 64, 0

# A program as images have them: everything that it may change is changed.
  .globl program_entry
program_entry:
  addi sp, sp, -16
  sd ra, 8(sp)
  call record
  ld ra, 8(sp)
  addi sp, sp, 16
  li t0, 0xdead
  mv t1, t0
  mv t2, t0
  mv t3, t0
  mv t4, t0
  mv t5, t0
  mv t6, t0
  mv a0, t0
  mv a1, t0
  mv a2, t0
  mv a3, t0
  mv a4, t0
  mv a5, t0
  mv a6, t0
  mv a7, t0
  ret

# call_with(code, in[64], out[64]): x0 to x31, then f0 to f31; sp, gp and tp are not loaded
  .globl call_with
call_with:
  addi sp, sp, -256
  sd ra, 0(sp)
  sd a2, 8(sp)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
  sd s\n, 16 + 8 * \n(sp)
  fsd fs\n, 112 + 8 * \n(sp)
  .endr
  mv ra, a0
  mv t0, a1
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  fld f\n, 256 + 8 * \n(t0)
  .endr
  .irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  ld x\n, 8 * \n(t0)
  .endr
  ld t0, 40(t0)
  jalr ra, 0(ra)
  sd ra, 208(sp)
  ld ra, 8(sp)
  .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  sd x\n, 8 * \n(ra)
  .endr
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  fsd f\n, 256 + 8 * \n(ra)
  .endr
  ld t0, 208(sp)
  sd t0, 8(ra)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
  ld s\n, 16 + 8 * \n(sp)
  fld fs\n, 112 + 8 * \n(sp)
  .endr
  ld ra, 0(sp)
  addi sp, sp, 256
  ret

  .section .rodata
  .balign 8
  .globl v_data
v_data: .quad 0x1122334455667788

  .section .note.GNU-stack, "", @progbits
