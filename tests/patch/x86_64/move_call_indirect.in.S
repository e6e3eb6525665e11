// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // the callee returns behind the original
  mov %rsp, %rbp
  call *%rax
  ret
