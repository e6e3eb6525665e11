// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // a short branch becomes a long one
  test %rdi, %rdi
  je 1f
  ret
1:
  xor %eax, %eax
  ret
