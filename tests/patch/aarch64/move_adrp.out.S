// SPDX-License-Identifier: MIT
// at: 0x4000800
  mov x3, #0x5000
  movk x3, #0x1274, lsl #16
  b function + 4
  brk #0
