// SPDX-License-Identifier: MIT
// at: 0x4000800
  tbnz x7, #0x2d, .L8
  b function + 8
.L8:
  b function + 4
  brk #0
