// SPDX-License-Identifier: MIT
//
// The smallest probe.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int small(void *ctx) { return 7; }

char LICENSE[] SEC("license") = "GPL";
