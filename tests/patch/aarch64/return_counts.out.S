// SPDX-License-Identifier: MIT
// at: 0x4000800
  sub sp, sp, #0x40
  stp x16, x17, [sp]
  stp x9, x10, [sp, #0x10]
  stp x11, x30, [sp, #0x20]
  mrs x9, NZCV
  str x9, [sp, #0x30]
  add x10, sp, #0x40
  movk x10, #0x822f, lsl #48
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
  b.ne .L1a8
  ldr w9, [x17, #0x8]
  add x16, x17, x9, lsl #4
  cmp w9, #0x3fc
  b.hs .L1a8
  ldr x16, [x16, #0x38]
  lsl x16, x16, #16
  cmp x16, x10, lsl #16
  b.ls .L1a8
  add x16, x17, #0x8
.L7c:
  ldxr w9, [x16]
  add w11, w9, #0x1
  stxr w30, w11, [x16]
  cbnz w30, .L7c
  add x17, x17, x9, lsl #4
  ldr x30, [sp, #0x28]
  stp x30, x10, [x17, #0x40]
.L98:
  ldr x9, [sp, #0x30]
  msr NZCV, x9
  ldp x11, x30, [sp, #0x20]
  ldp x9, x10, [sp, #0x10]
  ldp x16, x17, [sp]
  add sp, sp, #0x40
  mov xzr, #0x822f
  mov xzr, #0xb9f
  bl .L1d4
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
  add x10, sp, #0x1c0
  movk x10, #0x822f, lsl #48
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
  b.ne .L144
  ldr w9, [x17, #0x8]
  add x16, x17, x9, lsl #4
  ldr x30, [x16, #0x38]
  cmp x30, x10
  b.eq .L154
.L144:
  mov x16, x10
  bl pop_slow
  mov x30, x16
  b .L164
.L154:
  ldr x30, [x16, #0x30]
  str xzr, [x16, #0x38]
  sub w9, w9, #0x1
  str w9, [x17, #0x8]
.L164:
  str x30, [sp, #0x1b8]
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
  ret
.L1a8:
  mov x16, x10
  mov x17, x30
  bl push_slow
  cbnz x16, .L98
  ldr x9, [sp, #0x30]
  msr NZCV, x9
  ldp x11, x30, [sp, #0x20]
  ldp x9, x10, [sp, #0x10]
  ldp x16, x17, [sp]
  add sp, sp, #0x40
  b .L1d4
.L1d4:
  stp x29, x30, [sp, #-0x10]!
  b function + 4
  brk #0
