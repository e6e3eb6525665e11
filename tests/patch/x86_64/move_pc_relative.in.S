// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // rebased, also in front of an immediate
  cmpl $0x1234567, data(%rip)
  ret
  .balign 64
data:
  .long 1
