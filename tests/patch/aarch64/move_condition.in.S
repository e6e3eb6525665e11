// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // the opposite over a long branch
  b.lt 1f
  nop
1:
  ret
