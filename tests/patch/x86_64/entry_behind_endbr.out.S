// SPDX-License-Identifier: MIT
// at: 0x4000800
  leaq -0xd8(%rsp), %rsp
  movq %rax, 0xb8(%rsp)
  movq %rdi, 0xc0(%rsp)
  movq %r11, 0xc8(%rsp)
  lahf
  seto %al
  {disp8} movq %rax, 0(%rsp)
  movq %rdi, 0x80(%rsp)
  leaq 0x10(%rsp), %rdi
  callq program
  {disp8} movq 0(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq 0xb8(%rsp), %rax
  movq 0xc0(%rsp), %rdi
  movq 0xc8(%rsp), %r11
  leaq 0xd8(%rsp), %rsp
  subq $0x1000, %rsp
  jmp function + 11
  int3
