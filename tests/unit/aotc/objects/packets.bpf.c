// SPDX-License-Identifier: MIT
//
// A probe beside a packet program whose context is not supported.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int good(void *ctx) {
  return 0;
}

SEC("xdp")
int reads_packet(struct xdp_md *ctx) {
  return ctx->data_end - ctx->data > 60;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
