// SPDX-License-Identifier: MIT
// Expected: reject [endless-loop]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  int count = 0;
  asm volatile("r1 = 1\n"
               "again: if r1 != 0 goto again\n" ::: "r1");
  return count;
}

char LICENSE[] SEC("license") = "GPL";
