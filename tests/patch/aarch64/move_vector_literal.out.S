// SPDX-License-Identifier: MIT
// at: 0x4000800
  str x16, [sp, #-0x10]!
  mov x16, #0x8
  movk x16, #0x40, lsl #16
  ldr q3, [x16]
  ldr x16, [sp], #0x10
  b function + 4
  brk #0
