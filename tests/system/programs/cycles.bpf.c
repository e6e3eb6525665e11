// SPDX-License-Identifier: MIT
// For each caller (second argument), how many calls were seen and the first and last serial number
// (first argument), at entry and at return (the result is the serial number times 512 plus the caller).
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct row {
  __u64 count, first, last;
};
struct row entered[512];
struct row returned[512];

static __always_inline void note(struct row *row, __u64 serial) {
  if (row->count == 0)
    row->first = serial;
  row->count++;
  row->last = serial;
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  note(&entered[PT_REGS_PARM2(ctx) & 511], PT_REGS_PARM1(ctx));
  return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx) {
  note(&returned[PT_REGS_RC(ctx) & 511], PT_REGS_RC(ctx) >> 9);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
