// SPDX-License-Identifier: MIT
// at: 0x4000800
  cmpl $0x1234567, -0x3c007ca(%rip)
  jmp function + 10
  int3
