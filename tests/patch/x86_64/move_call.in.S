// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // pushes the address that it would have pushed
  call function
  ret
