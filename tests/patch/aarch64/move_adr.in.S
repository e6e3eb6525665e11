// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // so does an address near by
  adr x3, function_end
  ret
  .globl function_end
function_end:
