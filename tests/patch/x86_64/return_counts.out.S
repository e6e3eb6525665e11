// SPDX-License-Identifier: MIT
// at: 0x4000800
  movq %rax, -0x8(%rsp)
  movq %rcx, -0x10(%rsp)
  movq %r11, -0x18(%rsp)
  lahf
  seto %al
  movq %rax, -0x20(%rsp)
  rdfsbaseq %rax
  movq %rax, %rcx
  shrq $0x6, %rcx
  movabsq $-0x61c8864680b583eb, %r11
  imulq %r11, %rcx
  shrq $0x34, %rcx
  shlq $0xe, %rcx
  movl $0x5000000, %r11d
  addq %r11, %rcx
  cmpq %rax, (%rcx)
  {disp32} jne 3f
  movl 0x8(%rcx), %eax
  shlq $0x4, %rax
  cmpq %rsp, 0x38(%rcx,%rax)
  {disp32} jbe 3f
  movl $0x1, %eax
  xaddl %eax, 0x8(%rcx)
  cmpl $0x3fc, %eax
  {disp32} jae 2f
  shlq $0x4, %rax
  addq %rcx, %rax
  {disp8} movq 0(%rsp), %r11
  movq %r11, 0x40(%rax)
  movq %rsp, 0x48(%rax)
1:
  movq -0x20(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq -0x18(%rsp), %r11
  movq -0x10(%rsp), %rcx
  movq -0x8(%rsp), %rax
  leaq 0x8(%rsp), %rsp
  {disp32} jmp 4f
2:
  decl 0x8(%rcx)
3:
  movq %rsp, %rax
  leaq -0x30(%rsp), %rsp
  callq push_slow
  leaq 0x30(%rsp), %rsp
  testl %eax, %eax
  {disp32} jne 1b
  movq -0x20(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq -0x18(%rsp), %r11
  movq -0x10(%rsp), %rcx
  movq -0x8(%rsp), %rax
  {disp32} jmp 7f
4:
  callq 7f
  leaq -0xe0(%rsp), %rsp
  movq %rax, 0xb8(%rsp)
  movq %rdi, 0xc0(%rsp)
  movq %r11, 0xc8(%rsp)
  movq %rcx, 0xd0(%rsp)
  lahf
  seto %al
  {disp8} movq %rax, 0(%rsp)
  rdfsbaseq %rax
  movq %rax, %rcx
  shrq $0x6, %rcx
  movabsq $-0x61c8864680b583eb, %r11
  imulq %r11, %rcx
  shrq $0x34, %rcx
  shlq $0xe, %rcx
  movl $0x5000000, %r11d
  addq %r11, %rcx
  cmpq %rax, (%rcx)
  {disp32} jne 5f
  movl 0x8(%rcx), %eax
  shlq $0x4, %rax
  addq %rcx, %rax
  leaq 0xd8(%rsp), %r11
  cmpq %r11, 0x38(%rax)
  {disp32} jne 5f
  movq 0x30(%rax), %r11
  movq %r11, 0xd8(%rsp)
  movq $0x0, 0x38(%rax)
  decl 0x8(%rcx)
  {disp32} jmp 6f
5:
  leaq 0xd8(%rsp), %rax
  callq pop_slow
  movq %rax, 0xd8(%rsp)
6:
  leaq 0x10(%rsp), %rdi
  callq program
  {disp8} movq 0(%rsp), %rax
  addb $0x7f, %al
  sahf
  movq 0xb8(%rsp), %rax
  movq 0xc0(%rsp), %rdi
  movq 0xc8(%rsp), %r11
  movq 0xd0(%rsp), %rcx
  leaq 0xd8(%rsp), %rsp
  retq
7:
  pushq %rbp
  movq %rsp, %rbp
  pushq %rbx
  jmp function + 5
  int3
