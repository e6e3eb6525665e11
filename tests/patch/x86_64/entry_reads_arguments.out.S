// SPDX-License-Identifier: MIT
// at: 0x4000800
  leaq -0xd8(%rsp), %rsp
  movq %rax, 0xb8(%rsp)
  movq %rdi, 0xc0(%rsp)
  movq %r11, 0xc8(%rsp)
  lahf
  seto %al
  {disp8} movq %rax, 0(%rsp)
  testb $0x40, armed + 3(%rip)
  {disp32} jne 1f
  movq %rsi, 0x78(%rsp)
  movq %rdi, 0x80(%rsp)
  movl $0x400000, %eax
  movq %rax, 0x90(%rsp)
  {disp8} movq 0(%rsp), %rax
  addb $0x7f, %al
  sahf
  pushfq
  popq %rax
  movq %rax, 0xa0(%rsp)
  leaq 0xd8(%rsp), %rax
  movq %rax, 0xa8(%rsp)
  leaq site_data(%rip), %rax
  movq %rax, 0x8(%rsp)
  leaq 0x10(%rsp), %rdi
  callq program
1:
  {disp8} movq 0(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq 0xb8(%rsp), %rax
  movq 0xc0(%rsp), %rdi
  movq 0xc8(%rsp), %r11
  leaq 0xd8(%rsp), %rsp
  pushq %rbp
  movq %rsp, %rbp
  pushq %rbx
  jmp function + 5
  int3
