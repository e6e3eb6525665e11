// SPDX-License-Identifier: MIT
// at: 0x400000
  .globl function
function: // an unwinder begins here
  sub sp, sp, #0x400
  ret
  .globl sweep
  .set sweep, 0x4000400
  .globl sweeps
  .set sweeps, 1
