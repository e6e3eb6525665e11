/* SPDX-License-Identifier: MIT
 *
 * The x86_64 copy of the code behind return probes (targets/shadow_stack.h), and its entries. They
 * are called from trampolines with the stack pointer of the probed call in rax; rax, rcx and r11
 * are saved by the caller, vector registers are never used.
 */
#include "targets/x86_64/support_arch.h"

#include "targets/shadow_stack.h"

__asm__(".pushsection bpfaot_support, \"ax\", @progbits\n"
        ".macro bpfaot_entry name, routine\n"
        ".globl \\name\n"
        ".hidden \\name\n"
        "\\name:\n"
        "  push %rdx\n  push %rsi\n  push %rdi\n  push %r8\n  push %r9\n  push %r10\n"
        "  mov %rax, %rdi\n"
        "  mov (%rax), %rsi\n" /* the return address, for push */
        "  call \\routine\n"
        "  pop %r10\n  pop %r9\n  pop %r8\n  pop %rdi\n  pop %rsi\n  pop %rdx\n"
        "  ret\n"
        ".endm\n"
        "bpfaot_entry bpfaot_push_entry, bpfaot_push_slow\n"
        "bpfaot_entry bpfaot_pop_entry, bpfaot_pop_slow\n"
        "bpfaot_entry bpfaot_sweep_entry, bpfaot_sweep\n"
        ".popsection");
