// SPDX-License-Identifier: MIT
// at: 0x4000800
  .include "pairs.inc"
  .option norvc
  addi sp, sp, -304
  sd ra, 272(sp)
  sd t0, 280(sp)
  sd a0, 288(sp)
  sd a5, 296(sp)
  address_of t0, armed
  lwu t0, 0(t0)
  slli t0, t0, 33
  bge t0, zero, 8
  j .Lclose
  lui t0, 0x400
  sd t0, 16(sp)
  addi t0, sp, 304
  sd t0, 32(sp)
  sd a0, 96(sp)
  address_of t0, site_data
  sd t0, 8(sp)
  addi a0, sp, 16
  jal ra, program
  address_of t0, site_data
  sd t0, 8(sp)
  addi a0, sp, 16
  jal ra, program
.Lclose:
  ld ra, 272(sp)
  ld t0, 280(sp)
  ld a0, 288(sp)
  ld a5, 296(sp)
  addi sp, sp, 304
  .option rvc
  c.addi sp, -16
  c.sdsp ra, 8(sp)
  c.sdsp s0, 0(sp)
  c.addi4spn s0, sp, 16
  .option norvc
  jump_to function + 8, t1
  ebreak
