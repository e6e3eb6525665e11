// SPDX-License-Identifier: MIT
//
// Reads rbx of x86_64, which has no counterpart on other machines, by raw offset.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int raw(struct pt_regs *ctx) { return ctx->rbx; }

char LICENSE[] SEC("license") = "GPL";
