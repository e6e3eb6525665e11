// SPDX-License-Identifier: MIT
// at: 0x4000800
  mov x30, #0x8
  movk x30, #0x40, lsl #16
  b function
  b site + 4
  brk #0
