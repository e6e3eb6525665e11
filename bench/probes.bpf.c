// SPDX-License-Identifier: MIT
//
// The probes that bench/probes.sh puts into bench/probes.c.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 a, b;
  __u64 rest[6];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} percpu_counts SEC(".maps");

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

static __always_inline void count(__u32 which) {
  __u64 *value = bpf_map_lookup_elem(&counts, &which);
  if (value)
    __sync_fetch_and_add(value, 1);
}

SEC("uprobe")
int count_entry(struct pt_regs *ctx) {
  count(0);
  return 0;
}

SEC("uretprobe")
int count_return(struct pt_regs *ctx) {
  count(1);
  return 0;
}

SEC("uprobe")
int count_percpu(struct pt_regs *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&percpu_counts, &key);
  if (value)
    ++*value;
  return 0;
}

// Two arguments, a hash update and a 64-byte event.
SEC("uprobe")
int send_event(struct pt_regs *ctx) {
  const __u64 key = PT_REGS_PARM1(ctx) & 31, value = PT_REGS_PARM2(ctx);
  bpf_map_update_elem(&by_argument, &key, &value, BPF_ANY);
  struct event *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof *event);
  event->a = key;
  event->b = value;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
