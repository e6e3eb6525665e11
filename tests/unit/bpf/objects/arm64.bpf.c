// SPDX-License-Identifier: MIT
//
// Register layouts of the other machines, with and without CO-RE records.
typedef unsigned long long u64;
#ifdef CORE
#define RELOCATED __attribute__((preserve_access_index))
#else
#define RELOCATED
#endif
#ifdef RISCV
struct user_regs_struct { u64 pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1; } RELOCATED;
__attribute__((section("uprobe"), used)) int probe(struct user_regs_struct *ctx) { return ctx->a0; }
#else
struct user_pt_regs { u64 regs[31], sp, pc, pstate; } RELOCATED;
__attribute__((section("uprobe"), used)) int probe(struct user_pt_regs *ctx) { return ctx->regs[1]; }
#endif
