// SPDX-License-Identifier: MIT
// Expected: reject [tail-call]
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

int other(struct __sk_buff *ctx);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __array(values, int(void *));
} jump SEC(".maps") = {.values = {(void *)&other}};

SEC("tc")
int other(struct __sk_buff *ctx) { return 0; }

SEC("xdp")
int probe(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &jump, 0);
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
