// SPDX-License-Identifier: MIT
// at: 0x4000800
  loop 1f
  jmp 2f
1:
  jmp function + 6
2:
  movq %rsi, %rax
  jmp function + 5
  int3
