// SPDX-License-Identifier: MIT
// A large event for every call into the smallest buffers; results[0] counts failures, [1] successes.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 sequence;
  __u64 filler[31];
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} results SEC(".maps");

const struct event *unused __attribute__((unused));

static __always_inline int result(__u32 index) {
  __u64 *count = bpf_map_lookup_elem(&results, &index);
  if (count)
    __sync_fetch_and_add(count, 1);
  return 0;
}

SEC("uprobe")
int to_ring(struct pt_regs *ctx) {
  struct event *e = bpf_ringbuf_reserve(&ring, sizeof *e, 0);
  if (!e)
    return result(0);
  e->sequence = PT_REGS_PARM1(ctx);
  for (int i = 0; i < 31; i++)
    e->filler[i] = i;
  bpf_ringbuf_submit(e, 0);
  return result(1);
}

SEC("uprobe")
int to_perf(struct pt_regs *ctx) {
  struct event e;
  e.sequence = PT_REGS_PARM1(ctx);
  for (int i = 0; i < 31; i++)
    e.filler[i] = i;
  return result(bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &e, sizeof e) == 0);
}

char LICENSE[] SEC("license") = "GPL";
