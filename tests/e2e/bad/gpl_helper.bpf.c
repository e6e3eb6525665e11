// SPDX-License-Identifier: MIT
// Expected: reject [gpl-helper]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u64 word = 0;
  bpf_probe_read_user(&word, sizeof word, (void *)ctx->rdi); // here
  return word != 0;
}

char LICENSE[] SEC("license") = "Proprietary";
