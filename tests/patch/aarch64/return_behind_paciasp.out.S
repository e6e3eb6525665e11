// SPDX-License-Identifier: MIT
// at: 0x4000800
  autiasp
  sub sp, sp, #0x40
  stp x16, x17, [sp]
  stp x9, x10, [sp, #0x10]
  stp x11, x30, [sp, #0x20]
  mrs x9, NZCV
  str x9, [sp, #0x30]
  add x10, sp, #0x40
  movk x10, #0x8230, lsl #48
  mrs x16, TPIDR_EL0
  lsr x17, x16, #6
  mov x9, #0x7c15
  movk x9, #0x7f4a, lsl #16
  movk x9, #0x79b9, lsl #32
  movk x9, #0x9e37, lsl #48
  mul x17, x17, x9
  lsr x17, x17, #52
  mov x9, #0x12340000
  movk x9, #0x7f00, lsl #32
  add x17, x9, x17, lsl #14
  ldr x9, [x17]
  cmp x9, x16
  b.ne .L17c
  ldr w9, [x17, #0x8]
  add x16, x17, x9, lsl #4
  cmp w9, #0x3fc
  b.hs .L17c
  ldr x16, [x16, #0x38]
  lsl x16, x16, #16
  cmp x16, x10, lsl #16
  b.ls .L17c
  add x16, x17, #0x8
.L80:
  ldxr w9, [x16]
  add w11, w9, #0x1
  stxr w30, w11, [x16]
  cbnz w30, .L80
  add x17, x17, x9, lsl #4
  ldr x30, [sp, #0x28]
  stp x30, x10, [x17, #0x40]
.L9c:
  ldr x9, [sp, #0x30]
  msr NZCV, x9
  ldp x11, x30, [sp, #0x20]
  ldp x9, x10, [sp, #0x10]
  ldp x16, x17, [sp]
  add sp, sp, #0x40
  mov xzr, #0x8230
  mov xzr, #0xb9f
  bl .L1a8
  sub sp, sp, #0x160
  stp x0, x1, [sp, #0x120]
  stp x9, x10, [sp, #0x130]
  stp x16, x17, [sp, #0x140]
  str x30, [sp, #0x150]
  mrs x16, NZCV
  str x16, [sp]
  add x10, sp, #0x160
  movk x10, #0x8230, lsl #48
  mrs x16, TPIDR_EL0
  lsr x17, x16, #6
  mov x9, #0x7c15
  movk x9, #0x7f4a, lsl #16
  movk x9, #0x79b9, lsl #32
  movk x9, #0x9e37, lsl #48
  mul x17, x17, x9
  lsr x17, x17, #52
  mov x9, #0x12340000
  movk x9, #0x7f00, lsl #32
  add x17, x9, x17, lsl #14
  ldr x9, [x17]
  cmp x9, x16
  b.ne .L130
  ldr w9, [x17, #0x8]
  add x16, x17, x9, lsl #4
  ldr x30, [x16, #0x38]
  cmp x30, x10
  b.eq .L140
.L130:
  mov x16, x10
  bl pop_slow
  mov x30, x16
  b .L150
.L140:
  ldr x30, [x16, #0x30]
  str xzr, [x16, #0x38]
  sub w9, w9, #0x1
  str w9, [x17, #0x8]
.L150:
  str x30, [sp, #0x150]
  add x0, sp, #0x10
  bl program
  ldr x16, [sp]
  msr NZCV, x16
  ldp x0, x1, [sp, #0x120]
  ldp x9, x10, [sp, #0x130]
  ldp x16, x17, [sp, #0x140]
  ldr x30, [sp, #0x150]
  add sp, sp, #0x160
  ret
.L17c:
  mov x16, x10
  mov x17, x30
  bl push_slow
  cbnz x16, .L9c
  ldr x9, [sp, #0x30]
  msr NZCV, x9
  ldp x11, x30, [sp, #0x20]
  ldp x9, x10, [sp, #0x10]
  ldp x16, x17, [sp]
  add sp, sp, #0x40
  b .L1a8
.L1a8:
  paciasp
  stp x29, x30, [sp, #-0x10]!
  b function + 8
  brk #0
