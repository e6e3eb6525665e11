// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  addi sp, sp, -48
  sd t0, 0(sp)
  sd t1, 8(sp)
  sd t2, 16(sp)
  sd t3, 24(sp)
  sd ra, 32(sp)
  addi t0, sp, 48
  constant t3, .Ltag0
  add t3, t3, t0
  srli t1, tp, 6
  constant t0, .Lfactor0
  mul t1, t1, t0
  srli t1, t1, 52
  slli t1, t1, 14
  constant t0, .Lthreads0
  add t1, t1, t0
  ld t0, 0(t1)
  bne t0, tp, .Lslow
  lwu t2, 8(t1)
  addi t0, zero, 1020
  bgeu t2, t0, .Lslow
  lwu t0, 8(t1)
  slli t0, t0, 4
  add t0, t0, t1
  ld t0, 56(t0)
  slli t0, t0, 16
  slli t2, t3, 16
  bgeu t2, t0, .Lslow
  addi t2, zero, 1
  addi t0, t1, 8
  amoadd.w t0, t2, (t0)
  slli t0, t0, 4
  add t0, t0, t1
  sd ra, 64(t0)
  sd t3, 72(t0)
.Lpushed:
  ld t0, 0(sp)
  ld t1, 8(sp)
  ld t2, 16(sp)
  ld t3, 24(sp)
  addi sp, sp, 48
  j .Lover
.Lslow:
  mv t0, t3
  mv t1, ra
  jal ra, push_slow
  ld ra, 32(sp)
  bne t0, zero, .Lpushed
  ld t0, 0(sp)
  ld t1, 8(sp)
  ld t2, 16(sp)
  ld t3, 24(sp)
  addi sp, sp, 48
  j .Lmoved
.Lover:
  lui zero, 0xb9fa0
  jal ra, .Lmoved
// the return point, at 0x40008e4
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
  addi t0, sp, 400
  constant t2, .Ltag1
  add t2, t2, t0
  srli t1, tp, 6
  constant t0, .Lfactor1
  mul t1, t1, t0
  srli t1, t1, 52
  slli t1, t1, 14
  constant t0, .Lthreads1
  add t1, t1, t0
  ld t0, 0(t1)
  bne t0, tp, .Lpop_slow
  lwu t0, 8(t1)
  slli t0, t0, 4
  add t0, t0, t1
  ld ra, 56(t0)
  beq ra, t2, .Lfast
.Lpop_slow:
  mv t0, t2
  jal ra, pop_slow
  mv ra, t0
  j .Lpopped
.Lfast:
  ld ra, 48(t0)
  sd zero, 56(t0)
  lwu t2, 8(t1)
  addiw t2, t2, -1
  sw t2, 8(t1)
.Lpopped:
  sd ra, 272(sp)
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
  jalr zero, 0(ra)
.Lmoved:
  .option rvc
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  .option norvc
  jump_to function + 8, t1
  ebreak
  .zero 4
.Ltag0: .quad 0x239 << 48 // bits 2 to 17 of the return point's address
.Lfactor0: .quad 0x9e3779b97f4a7c15
.Lthreads0: .quad threads
.Ltag1: .quad 0x239 << 48 // bits 2 to 17 of the return point's address
.Lfactor1: .quad 0x9e3779b97f4a7c15
.Lthreads1: .quad threads
