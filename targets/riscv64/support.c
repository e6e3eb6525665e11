/* SPDX-License-Identifier: MIT
 *
 * The riscv64 copy of the code behind return probes (targets/shadow_stack.h), and its entries. They
 * are called from trampolines with arguments in t0 and t1 and the result in t0; they keep all other
 * registers but ra, and use no floating or vector registers.
 */
#include "targets/riscv64/support_arch.h"

#include "targets/shadow_stack.h"

__asm__(".pushsection bpfaot_support, \"ax\", @progbits\n"
        ".option push\n .option norelax\n"
        ".macro bpfaot_entry name, routine\n"
        ".globl \\name\n"
        ".hidden \\name\n"
        ".balign 4\n"
        "\\name:\n"
        "  addi sp, sp, -128\n"
        "  sd ra, 0(sp)\n  sd t1, 8(sp)\n  sd t2, 16(sp)\n  sd t3, 24(sp)\n  sd t4, 32(sp)\n"
        "  sd t5, 40(sp)\n  sd t6, 48(sp)\n  sd a0, 56(sp)\n  sd a1, 64(sp)\n  sd a2, 72(sp)\n"
        "  sd a3, 80(sp)\n  sd a4, 88(sp)\n  sd a5, 96(sp)\n  sd a6, 104(sp)\n  sd a7, 112(sp)\n"
        "  mv a0, t0\n  mv a1, t1\n"
        "  call \\routine\n"
        "  mv t0, a0\n"
        "  ld ra, 0(sp)\n  ld t1, 8(sp)\n  ld t2, 16(sp)\n  ld t3, 24(sp)\n  ld t4, 32(sp)\n"
        "  ld t5, 40(sp)\n  ld t6, 48(sp)\n  ld a0, 56(sp)\n  ld a1, 64(sp)\n  ld a2, 72(sp)\n"
        "  ld a3, 80(sp)\n  ld a4, 88(sp)\n  ld a5, 96(sp)\n  ld a6, 104(sp)\n  ld a7, 112(sp)\n"
        "  addi sp, sp, 128\n"
        "  ret\n"
        ".endm\n"
        "bpfaot_entry bpfaot_push_entry, bpfaot_push_slow\n"
        "bpfaot_entry bpfaot_pop_entry, bpfaot_pop_slow\n"
        "bpfaot_entry bpfaot_sweep_entry, bpfaot_sweep\n"
        ".option pop\n"
        ".popsection");
