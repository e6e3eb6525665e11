// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function:
  mov x9, x30
  .globl site
site:
  blr x4
  ret x9
