// SPDX-License-Identifier: MIT
// at: 0x4000800
  movq %rsp, %rbp
  pushq $0x400005
  movl $0x0, 0x4(%rsp)
  jmpq *%rax
  jmp function + 5
  int3
