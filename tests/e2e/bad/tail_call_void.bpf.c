// SPDX-License-Identifier: MIT
// Expected: reject [tail-call]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, 4);
} jump SEC(".maps");

static __attribute__((noinline)) void leave(struct pt_regs *ctx) {
  bpf_tail_call(ctx, &jump, 0); // here
}

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  leave(ctx);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
