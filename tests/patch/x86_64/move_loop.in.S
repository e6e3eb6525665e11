// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // over a long jump
  loop 1f
  mov %rsi, %rax
  ret
1:
  xor %eax, %eax
  ret
