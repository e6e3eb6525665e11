// SPDX-License-Identifier: MIT
// at: 0x4000800
  cbz w7, .L8
  b function + 8
.L8:
  b function + 4
  brk #0
