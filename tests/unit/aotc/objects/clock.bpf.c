// SPDX-License-Identifier: MIT
// Two programs that differ by a call of the clock, which is a function of the kernel's vDSO.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 last;

SEC("uprobe")
int plain(void* ctx) {
  last = 1;
  return 0;
}

SEC("uprobe")
int timed(void* ctx) {
  last = bpf_ktime_get_ns();
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
