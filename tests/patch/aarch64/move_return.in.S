// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // control does not come back
  ret
