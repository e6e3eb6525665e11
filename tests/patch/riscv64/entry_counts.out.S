// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  addi sp, sp, -400
  sd ra, 272(sp)
  sd t0, 280(sp)
  sd t1, 288(sp)
  sd t2, 296(sp)
  sd a0, 304(sp)
  sd a1, 312(sp)
  sd a2, 320(sp)
  sd a3, 328(sp)
  sd a4, 336(sp)
  sd a5, 344(sp)
  sd a6, 352(sp)
  sd a7, 360(sp)
  sd t3, 368(sp)
  sd t4, 376(sp)
  sd t5, 384(sp)
  sd t6, 392(sp)
  addi a0, sp, 16
  jal ra, program
  ld ra, 272(sp)
  ld t0, 280(sp)
  ld t1, 288(sp)
  ld t2, 296(sp)
  ld a0, 304(sp)
  ld a1, 312(sp)
  ld a2, 320(sp)
  ld a3, 328(sp)
  ld a4, 336(sp)
  ld a5, 344(sp)
  ld a6, 352(sp)
  ld a7, 360(sp)
  ld t3, 368(sp)
  ld t4, 376(sp)
  ld t5, 384(sp)
  ld t6, 392(sp)
  addi sp, sp, 400
  .option rvc
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  .option norvc
  jump_to function + 8, t1
  ebreak
