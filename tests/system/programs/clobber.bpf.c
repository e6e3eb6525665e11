// SPDX-License-Identifier: MIT
// A program that uses much of the machine: maps, a hash with insertions, clock, comm, a read of the
// process's stack, a ring buffer event, division and a loop over a buffer on its own stack.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 ip;
  __u64 sum;
  char comm[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} hits SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u64);
  __type(value, __u64);
} seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 18);
} events SEC(".maps");

static __always_inline int work(struct pt_regs *ctx, __u32 index) {
  __u64 words[8] = {}, sum = 0, key = PT_REGS_IP(ctx) & 31;
  __u64 *count = bpf_map_lookup_elem(&hits, &index);
  if (!count)
    return 0;
  __sync_fetch_and_add(count, 1);
  bpf_probe_read_user(words, sizeof words, (void *)PT_REGS_SP(ctx));
  for (int i = 0; i < 8; i++)
    sum = sum * 31 + words[i] / (key + 1);
  bpf_map_update_elem(&seen, &key, &sum, BPF_ANY);
  struct event *e = bpf_ringbuf_reserve(&events, sizeof *e, 0);
  if (!e)
    return 0;
  e->ip = PT_REGS_IP(ctx);
  e->sum = sum + bpf_ktime_get_ns() + bpf_get_current_pid_tgid() + bpf_get_prandom_u32();
  bpf_get_current_comm(e->comm, sizeof e->comm);
  bpf_ringbuf_submit(e, 0);
  return 0;
}

SEC("uprobe")
int busy(struct pt_regs *ctx) {
  return work(ctx, 0);
}

SEC("uretprobe")
int busy_return(struct pt_regs *ctx) {
  return work(ctx, 1);
}

char LICENSE[] SEC("license") = "GPL";
