// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // leaves the address that it would have left
  mov x9, x30
  .globl site
site:
  bl function
  ret x9
