// SPDX-License-Identifier: MIT
//
// What a process asks malloc for: a log2 histogram of sizes per process, printed when the program
// ends, and a line at once for every allocation over 64 KiB.
//
// It needs no vmlinux.h: pt_regs comes from the uapi headers, and PT_REGS_PARM1 is the register
// that carries the first argument on the machine given by -D__TARGET_ARCH_….
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define LARGE (64 * 1024)
#define SLOTS 32

// One histogram: slot i counts the sizes from 2^i up to 2^(i+1) - 1. The tools recognise the array
// named "slots" and draw it.
struct histogram {
  char comm[16];
  __u32 slots[SLOTS];
};

struct event {
  __u32 pid;
  __u32 tid;
  __u64 size;
  char comm[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32); // process
  __type(value, struct histogram);
} sizes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} events SEC(".maps");

// A record type that only the ring buffer carries would not be in the BTF of the object: this
// pointer keeps it there, so that the tools can print the fields by name.
const struct event *unused __attribute__((unused));

static const struct histogram empty;

static __always_inline __u32 log2_of(__u64 value) {
  __u32 high = value >> 32;
  __u32 low = value;
  __u32 result = 0;

  if (high) {
    result = 32;
    low = high;
  }
  if (low >> 16) {
    result += 16;
    low >>= 16;
  }
  if (low >> 8) {
    result += 8;
    low >>= 8;
  }
  if (low >> 4) {
    result += 4;
    low >>= 4;
  }
  if (low >> 2) {
    result += 2;
    low >>= 2;
  }
  return result + (low >> 1);
}

SEC("uprobe/libc.so.6:malloc")
int on_malloc(struct pt_regs *ctx) {
  __u64 size = PT_REGS_PARM1(ctx);
  __u64 pid_tgid = bpf_get_current_pid_tgid();
  __u32 pid = pid_tgid >> 32;
  __u32 slot = log2_of(size);
  struct histogram *histogram;
  struct event *event;

  histogram = bpf_map_lookup_elem(&sizes, &pid);
  if (!histogram) {
    // Two threads may come here at once; BPF_NOEXIST lets the first one win.
    bpf_map_update_elem(&sizes, &pid, &empty, BPF_NOEXIST);
    histogram = bpf_map_lookup_elem(&sizes, &pid);
    if (!histogram)
      return 0;
    bpf_get_current_comm(histogram->comm, sizeof(histogram->comm));
  }
  if (slot >= SLOTS)
    slot = SLOTS - 1;
  __sync_fetch_and_add(&histogram->slots[slot], 1);

  if (size <= LARGE)
    return 0;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return 0;
  event->pid = pid;
  event->tid = pid_tgid;
  event->size = size;
  bpf_get_current_comm(event->comm, sizeof(event->comm));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
