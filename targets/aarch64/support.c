/* SPDX-License-Identifier: MIT
 *
 * The aarch64 copy of the code behind return probes (targets/shadow_stack.h), and its entries. They
 * are called from trampolines with arguments in x16 and x17 and the result in x16; they keep all
 * other registers but x30 and the flags, and use no vector registers.
 */
#include "targets/aarch64/support_arch.h"

#include "targets/shadow_stack.h"

__asm__(".pushsection bpfaot_support, \"ax\", @progbits\n"
        ".macro bpfaot_entry name, routine\n"
        ".globl \\name\n"
        ".hidden \\name\n"
        "\\name:\n"
        "  stp x29, x30, [sp, #-176]!\n"
        "  mov x29, sp\n"
        "  stp x0, x1, [sp, #16]\n  stp x2, x3, [sp, #32]\n  stp x4, x5, [sp, #48]\n"
        "  stp x6, x7, [sp, #64]\n  stp x8, x9, [sp, #80]\n  stp x10, x11, [sp, #96]\n"
        "  stp x12, x13, [sp, #112]\n  stp x14, x15, [sp, #128]\n  stp x17, x18, [sp, #144]\n"
        "  mov x0, x16\n  mov x1, x17\n"
        "  bl \\routine\n"
        "  mov x16, x0\n"
        "  ldp x17, x18, [sp, #144]\n  ldp x14, x15, [sp, #128]\n  ldp x12, x13, [sp, #112]\n"
        "  ldp x10, x11, [sp, #96]\n  ldp x8, x9, [sp, #80]\n  ldp x6, x7, [sp, #64]\n"
        "  ldp x4, x5, [sp, #48]\n  ldp x2, x3, [sp, #32]\n  ldp x0, x1, [sp, #16]\n"
        "  ldp x29, x30, [sp], #176\n"
        "  ret\n"
        ".endm\n"
        "bpfaot_entry bpfaot_push_entry, bpfaot_push_slow\n"
        "bpfaot_entry bpfaot_pop_entry, bpfaot_pop_slow\n"
        "bpfaot_entry bpfaot_sweep_entry, bpfaot_sweep\n"
        ".popsection");
