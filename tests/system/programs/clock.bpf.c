// SPDX-License-Identifier: MIT
// Reads the clock at each entry and counts how often it went on.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

__u64 last, later;

SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  __u64 now = bpf_ktime_get_ns();
  if (now > last)
    later++;
  last = now;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
