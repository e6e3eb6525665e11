// SPDX-License-Identifier: MIT
// Expected: unsupported [unsupported-map-type|helper-unknown]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 16);
  __uint(key_size, 4);
  __uint(value_size, 8 * 16);
} stacks SEC(".maps");

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  return bpf_get_stackid(ctx, &stacks, 0); // here
}

char LICENSE[] SEC("license") = "GPL";
