// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function:
  tbz x7, #45, 1f
  nop
1:
  ret
