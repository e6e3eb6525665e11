// SPDX-License-Identifier: MIT
// at: 0x4000800
  sub sp, sp, #0x1c0
  stp x0, x1, [sp, #0x120]
  stp x2, x3, [sp, #0x130]
  stp x4, x5, [sp, #0x140]
  stp x6, x7, [sp, #0x150]
  stp x8, x9, [sp, #0x160]
  stp x10, x11, [sp, #0x170]
  stp x12, x13, [sp, #0x180]
  stp x14, x15, [sp, #0x190]
  stp x16, x17, [sp, #0x1a0]
  stp x18, x30, [sp, #0x1b0]
  mrs x16, NZCV
  str x16, [sp]
  add x0, sp, #0x10
  bl program
  ldr x16, [sp]
  msr NZCV, x16
  ldp x0, x1, [sp, #0x120]
  ldp x2, x3, [sp, #0x130]
  ldp x4, x5, [sp, #0x140]
  ldp x6, x7, [sp, #0x150]
  ldp x8, x9, [sp, #0x160]
  ldp x10, x11, [sp, #0x170]
  ldp x12, x13, [sp, #0x180]
  ldp x14, x15, [sp, #0x190]
  ldp x16, x17, [sp, #0x1a0]
  ldp x18, x30, [sp, #0x1b0]
  add sp, sp, #0x1c0
  stp x29, x30, [sp, #-0x10]!
  b function + 4
  brk #0
