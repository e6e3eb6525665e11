// SPDX-License-Identifier: MIT
// at: 0x4000800
  sub sp, sp, #0x80
  stp x19, x20, [sp]
  stp x21, x22, [sp, #0x10]
  stp x23, x24, [sp, #0x20]
  stp x25, x26, [sp, #0x30]
  stp x27, x28, [sp, #0x40]
  stp x29, x30, [sp, #0x50]
  stp x16, x17, [sp, #0x60]
  mrs x16, NZCV
  str x16, [sp, #0x70]
  add x16, sp, #0x80
  mov x17, sp
  bl sweep
  ldr x16, [sp, #0x70]
  msr NZCV, x16
  ldp x16, x17, [sp, #0x60]
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #0x10]
  ldp x23, x24, [sp, #0x20]
  ldp x25, x26, [sp, #0x30]
  ldp x27, x28, [sp, #0x40]
  ldp x29, x30, [sp, #0x50]
  add sp, sp, #0x80
  sub sp, sp, #0x400
  b function + 4
  brk #0
