// SPDX-License-Identifier: MIT
// Expected: reject [helper-invalid]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

static long (*no_such_helper)(void) = (void *)9999;

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  return no_such_helper(); // here
}

char LICENSE[] SEC("license") = "GPL";
