// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // out of reach of a load: the address goes through the destination
  ldr x3, pool
  ret
  .globl function_end
function_end:
pool:
  .xword 1
