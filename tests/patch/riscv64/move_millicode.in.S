// SPDX-License-Identifier: MIT
// at: 0x400000
  .option norelax
  .globl function
function: // the alternate link register
  .option norvc
  auipc t0, 0x1
  jalr t0, 8(t0)
  .option rvc
  ret
