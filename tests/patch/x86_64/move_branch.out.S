// SPDX-License-Identifier: MIT
// at: 0x4000800
  testq %rdi, %rdi
  je function + 6
  jmp function + 5
  int3
