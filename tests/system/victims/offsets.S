# SPDX-License-Identifier: MIT
# looper: rdi counts from 100 down to 1; `body` is an instruction inside the loop.
  .text
  .globl looper
  .type looper, @function
looper:
  push %rbx
  xor %ebx, %ebx
  mov $100, %edi
  .globl body
body:
  lea 8(%rbx,%rdi), %rbx
  mov %rbx, %rax
  dec %rdi
  jnz body
  pop %rbx
  ret
  .size looper, . - looper

  .globl main
  .type main, @function
main:
  sub $8, %rsp
  call looper
  xor %eax, %eax
  add $8, %rsp
  ret
  .size main, . - main
  .section .note.GNU-stack, "", @progbits
