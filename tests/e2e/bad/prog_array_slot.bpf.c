// SPDX-License-Identifier: MIT
// Expected: reject [map-def]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int function(struct pt_regs *ctx) { return ctx != 0; }

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __array(values, int(struct pt_regs *));
} jump SEC(".maps") = {.values = {(void *)&function}};

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  bpf_tail_call(ctx, &jump, 0);
  return function(ctx);
}

char LICENSE[] SEC("license") = "GPL";
