// SPDX-License-Identifier: MIT
// at: 0x4000800
  leaq -0x138(%rsp), %rsp
  movq %rax, 0xb8(%rsp)
  movq %rdx, 0xc0(%rsp)
  movq %rcx, 0xc8(%rsp)
  movq %rbx, 0xd0(%rsp)
  movq %rsi, 0xd8(%rsp)
  movq %rdi, 0xe0(%rsp)
  movq %rbp, 0xe8(%rsp)
  movq %r8, 0xf0(%rsp)
  movq %r9, 0xf8(%rsp)
  movq %r10, 0x100(%rsp)
  movq %r11, 0x108(%rsp)
  movq %r12, 0x110(%rsp)
  movq %r13, 0x118(%rsp)
  movq %r14, 0x120(%rsp)
  movq %r15, 0x128(%rsp)
  lahf
  seto %al
  {disp8} movq %rax, 0(%rsp)
  leaq 0x10(%rsp), %rdi
  callq program
  {disp8} movq 0(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq 0xb8(%rsp), %rax
  movq 0xc0(%rsp), %rdx
  movq 0xc8(%rsp), %rcx
  movq 0xd0(%rsp), %rbx
  movq 0xd8(%rsp), %rsi
  movq 0xe0(%rsp), %rdi
  movq 0xe8(%rsp), %rbp
  movq 0xf0(%rsp), %r8
  movq 0xf8(%rsp), %r9
  movq 0x100(%rsp), %r10
  movq 0x108(%rsp), %r11
  movq 0x110(%rsp), %r12
  movq 0x118(%rsp), %r13
  movq 0x120(%rsp), %r14
  movq 0x128(%rsp), %r15
  leaq 0x138(%rsp), %rsp
  pushq %rbp
  movq %rsp, %rbp
  pushq %rbx
  jmp function + 5
  int3
