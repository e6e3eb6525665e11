// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function:
  cbnz w7, 1f
  nop
1:
  ret
