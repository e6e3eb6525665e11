// SPDX-License-Identifier: MIT
//
// A probe beside a packet program that reads what does not exist in a process.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int good(void *ctx) {
  return 0;
}

SEC("tc")
int reads_packet(struct __sk_buff *skb) {
  return skb->sk != 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
