// SPDX-License-Identifier: MIT
// The same count in every kind of map, and an event for each sixteenth call.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 sequence;
  __u64 check;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 3);
  __type(key, __u32);
  __type(value, __u64);
} total SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} percpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} by_residue SEC(".maps"), by_thread SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} events SEC(".maps");

static __always_inline __u64 add(void *map, __u32 key) {
  __u64 zero = 0, *count = bpf_map_lookup_elem(map, &key);
  if (!count) {
    bpf_map_update_elem(map, &key, &zero, BPF_NOEXIST);
    count = bpf_map_lookup_elem(map, &key);
  }
  return count ? __sync_fetch_and_add(count, 1) : 0;
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx) {
  __u32 zero = 0, one = 1;
  __u64 *slot, sequence = add(&total, 0);
  slot = bpf_map_lookup_elem(&percpu, &zero);
  if (slot)
    *slot += 1;
  slot = bpf_map_lookup_elem(&percpu, &one);
  if (slot)
    __sync_fetch_and_add(slot, 1);
  add(&by_residue, PT_REGS_PARM1(ctx) & 7);
  add(&by_thread, (__u32)bpf_get_current_pid_tgid());
  if (sequence & 15)
    return 0;
  struct event *e = bpf_ringbuf_reserve(&events, sizeof *e, 0);
  if (!e) {
    add(&total, 2);
    return 0;
  }
  e->sequence = sequence;
  e->check = sequence * 7 + 3;
  bpf_ringbuf_submit(e, 0);
  return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx) {
  add(&total, 1);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
