// SPDX-License-Identifier: MIT
#include "event.h"

#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("uprobe//bin/true:main")
int on_main(struct pt_regs* ctx) {
  struct event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return 0;
  event->argument = PT_REGS_PARM1(ctx) + EVENT_OFFSET;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

char _license[] SEC("license") = "MIT";
