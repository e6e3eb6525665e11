# SPDX-License-Identifier: MIT
# Probed places that the caller checks byte by byte.
#
# struct state: 16 general registers (rax rbx rcx rdx rsi rdi rbp rsp r8..r15), rflags, then
# 16 xmm registers at 136 (unaligned), mxcsr at 392.
  .text

# entry_point: stores everything as it is after a probe at its first instruction.
  .globl entry_point
  .type entry_point, @function
entry_point:
  endbr64
  push %rbp
  mov %rsp, %rbp
  pop %rbp
  mov %rax, seen(%rip)
  pushfq
  pop %rax
  mov %rax, seen+128(%rip)
  jmp store_rest
  .size entry_point, . - entry_point

store_rest:
  mov %rbx, seen+8(%rip)
  mov %rcx, seen+16(%rip)
  mov %rdx, seen+24(%rip)
  mov %rsi, seen+32(%rip)
  mov %rdi, seen+40(%rip)
  mov %rbp, seen+48(%rip)
  mov %rsp, seen+56(%rip)
  mov %r8, seen+64(%rip)
  mov %r9, seen+72(%rip)
  mov %r10, seen+80(%rip)
  mov %r11, seen+88(%rip)
  mov %r12, seen+96(%rip)
  mov %r13, seen+104(%rip)
  mov %r14, seen+112(%rip)
  mov %r15, seen+120(%rip)
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  movups %xmm\n, seen+136+16*\n(%rip)
  .endr
  stmxcsr seen+392(%rip)
  ret

# fill: loads every register from `given` and the status flags, and calls the function in `callee`.
  .globl fill_and_call
  .type fill_and_call, @function
fill_and_call:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  sub $8, %rsp
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  movups given+136+16*\n(%rip), %xmm\n
  .endr
  pushq given+128(%rip)
  mov given+8(%rip), %rbx
  mov given+16(%rip), %rcx
  mov given+24(%rip), %rdx
  mov given+32(%rip), %rsi
  mov given+40(%rip), %rdi
  mov given+48(%rip), %rbp
  mov given+64(%rip), %r8
  mov given+72(%rip), %r9
  mov given+80(%rip), %r10
  mov given+88(%rip), %r11
  mov given+96(%rip), %r12
  mov given+104(%rip), %r13
  mov given+112(%rip), %r14
  mov given+120(%rip), %r15
  mov given(%rip), %rax
  popfq
  mov %rsp, given+56(%rip)
  call *callee(%rip)
  cld
  add $8, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .size fill_and_call, . - fill_and_call

# middle: red zone and flags live across two probed instructions that are not at its entry.
  .globl middle
  .type middle, @function
middle:
  pushfq
  pop %rax
  .set o, 8
  .rept 16
  movq $0x5a5a0000 + o, -o(%rsp)
  .set o, o + 8
  .endr
  push %rax
  popfq
  mov given(%rip), %rax
  movq $0x5a5a0008, -8(%rsp)
  .globl middle_red_zone
middle_red_zone:
  mov %rax, seen(%rip)
  mov -8(%rsp), %rax
  mov %rax, red_zone(%rip)
  mov -16(%rsp), %rax
  mov %rax, red_zone+8(%rip)
  mov -64(%rsp), %rax
  mov %rax, red_zone+16(%rip)
  mov -120(%rsp), %rax
  mov %rax, red_zone+24(%rip)
  mov -128(%rsp), %rax
  mov %rax, red_zone+32(%rip)
  mov seen(%rip), %rax
  .globl middle_flags
middle_flags:
  lea 0(%rax), %rax
  mov %rax, seen(%rip)
  pushfq
  pop %rax
  mov %rax, seen+128(%rip)
  jmp store_rest
  .size middle, . - middle

# Functions whose results are in several registers.
  .globl two_words
  .type two_words, @function
two_words:
  push %rbx
  mov $0x1111222233334444, %rax
  mov $0x5555666677778888, %rdx
  pop %rbx
  ret
  .size two_words, . - two_words

  .globl two_floats
  .type two_floats, @function
two_floats:
  sub $8, %rsp
  movsd float_low(%rip), %xmm0
  movsd float_high(%rip), %xmm1
  add $8, %rsp
  ret
  .size two_floats, . - two_floats

  .globl x87
  .type x87, @function
x87:
  sub $8, %rsp
  fldpi
  add $8, %rsp
  ret
  .size x87, . - x87

  .section .rodata
  .balign 8
float_low: .double 1.5
float_high: .double -2.25

  .bss
  .balign 16
  .globl given, seen, callee, red_zone
given: .zero 512
seen: .zero 512
callee: .zero 8
red_zone: .zero 40
  .section .note.GNU-stack, "", @progbits
