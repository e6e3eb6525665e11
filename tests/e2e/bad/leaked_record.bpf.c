// SPDX-License-Identifier: MIT
// Expected: reject [ref-leak]
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("uprobe")
int probe(struct pt_regs *ctx) {
  __u64 *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
  if (!record)
    return 0;
  *record = 1;
  if (bpf_get_prandom_u32() & 1)
    return 1;
  bpf_ringbuf_submit(record, 0);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
