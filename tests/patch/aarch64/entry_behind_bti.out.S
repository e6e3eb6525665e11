// SPDX-License-Identifier: MIT
// at: 0x4000800
  sub sp, sp, #0x150
  stp x0, x1, [sp, #0x120]
  stp x16, x17, [sp, #0x130]
  str x30, [sp, #0x140]
  mrs x16, NZCV
  str x16, [sp]
  add x0, sp, #0x10
  bl program
  ldr x16, [sp]
  msr NZCV, x16
  ldp x0, x1, [sp, #0x120]
  ldp x16, x17, [sp, #0x130]
  ldr x30, [sp, #0x140]
  add sp, sp, #0x150
  nop
  b function + 8
  brk #0
