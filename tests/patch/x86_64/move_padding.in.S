// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // the padding of a short function is never executed
  ret
  .globl function_end
function_end:
  int3
  int3
  int3
  int3
  int3
