// SPDX-License-Identifier: MIT
// Expected: reject [stack-oob]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  char buffer[16];
  bpf_get_current_comm(buffer, 24); // here
  return buffer[0];
}

char LICENSE[] SEC("license") = "GPL";
