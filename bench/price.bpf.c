// SPDX-License-Identifier: MIT
//
// The programs of bench/price.c, one for each kind of probe and shape of function, so that every row
// of the table has a count of its own. The same object runs in the process and in the kernel.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 a, b;
  __u64 rest[6];
};

// Entry, return, both (one for each half) and event, for each shape: see the indices below.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u64);
} by_argument SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} events SEC(".maps");

static __always_inline int count(__u32 which) {
  __u64 *value = bpf_map_lookup_elem(&counts, &which);
  if (value)
    __sync_fetch_and_add(value, 1);
  return 0;
}

// Two arguments, a hash update and a 64-byte event, which says what shape it is of.
static __always_inline int send_event(struct pt_regs *ctx, __u64 shape) {
  const __u64 key = PT_REGS_PARM1(ctx) & 31, value = PT_REGS_PARM2(ctx);
  bpf_map_update_elem(&by_argument, &key, &value, BPF_ANY);
  struct event *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof *event);
  event->a = shape;
  event->b = value;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

#define SHAPE(name, number)                                                                        \
  SEC("uprobe") int entry_##name(struct pt_regs *ctx) { return count(number * 4 + 0); }            \
  SEC("uretprobe") int return_##name(struct pt_regs *ctx) { return count(number * 4 + 1); }        \
  SEC("uprobe") int both_entry_##name(struct pt_regs *ctx) { return count(number * 4 + 2); }       \
  SEC("uretprobe") int both_return_##name(struct pt_regs *ctx) { return count(number * 4 + 3); }   \
  SEC("uprobe") int event_##name(struct pt_regs *ctx) { return send_event(ctx, number); }

SHAPE(push, 0)
SHAPE(nop5, 1)
SHAPE(endbr64, 2)

char LICENSE[] SEC("license") = "Dual MIT/GPL";
