// SPDX-License-Identifier: MIT
//
// How long read() takes and what it returns: an entry probe notes the time, a return probe puts the
// difference into a log2 histogram of microseconds per process. Slow reads are shown one by one.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SLOTS 24

// A read that takes at least this long is an event: bpf-aot run --set slow_us=100 …
const volatile __u64 slow_us = 1000;

struct call {
  __u64 start_ns;
  __s64 fd;
  __u64 requested;
};

struct histogram {
  __u32 slots[SLOTS];
};

struct slow_read {
  __u32 pid;
  __u32 fd;
  __u64 requested;
  __s64 returned;
  __u64 us;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32); // thread
  __type(value, struct call);
} calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32); // process
  __type(value, struct histogram);
} usecs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} events SEC(".maps");

const struct slow_read *unused __attribute__((unused));

static const struct histogram empty;

static __always_inline __u32 log2_of(__u32 value) {
  __u32 result = 0;

  if (value >> 16) {
    result += 16;
    value >>= 16;
  }
  if (value >> 8) {
    result += 8;
    value >>= 8;
  }
  if (value >> 4) {
    result += 4;
    value >>= 4;
  }
  if (value >> 2) {
    result += 2;
    value >>= 2;
  }
  return result + (value >> 1);
}

SEC("uprobe/libc.so.6:read")
int on_read(struct pt_regs *ctx) {
  __u32 tid = bpf_get_current_pid_tgid();
  struct call call = {};

  call.start_ns = bpf_ktime_get_ns();
  call.fd = (__s32)PT_REGS_PARM1(ctx);
  call.requested = PT_REGS_PARM3(ctx);
  bpf_map_update_elem(&calls, &tid, &call, BPF_ANY);
  return 0;
}

SEC("uretprobe/libc.so.6:read")
int on_read_return(struct pt_regs *ctx) {
  __u64 now = bpf_ktime_get_ns();
  __u64 pid_tgid = bpf_get_current_pid_tgid();
  __u32 tid = pid_tgid;
  __u32 pid = pid_tgid >> 32;
  struct histogram *histogram;
  struct slow_read *event;
  struct call *call;
  __u64 us;
  __u32 slot;

  call = bpf_map_lookup_elem(&calls, &tid);
  if (!call)
    return 0;
  us = (now - call->start_ns) / 1000;
  histogram = bpf_map_lookup_elem(&usecs, &pid);
  if (!histogram) {
    bpf_map_update_elem(&usecs, &pid, &empty, BPF_NOEXIST);
    histogram = bpf_map_lookup_elem(&usecs, &pid);
    if (!histogram)
      return 0;
  }
  slot = log2_of(us);
  if (slot >= SLOTS)
    slot = SLOTS - 1;
  __sync_fetch_and_add(&histogram->slots[slot], 1);

  if (us >= slow_us) {
    event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
      event->pid = pid;
      event->fd = call->fd;
      event->requested = call->requested;
      event->returned = PT_REGS_RC(ctx);
      event->us = us;
      bpf_ringbuf_submit(event, 0);
    }
  }
  bpf_map_delete_elem(&calls, &tid);
  return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
