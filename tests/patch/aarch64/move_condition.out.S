// SPDX-License-Identifier: MIT
// at: 0x4000800
  b.ge .L8
  b function + 8
.L8:
  b function + 4
  brk #0
