// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // a page address becomes a constant
  adrp x3, 0x12345000
  ret
