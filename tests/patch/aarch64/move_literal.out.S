// SPDX-License-Identifier: MIT
// at: 0x4000800
  mov x3, #0x8
  movk x3, #0x40, lsl #16
  ldr x3, [x3]
  b function + 4
  brk #0
