// SPDX-License-Identifier: MIT
// One of each kind of output, all from the entry of work(i).
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum colour { RED = 1, GREEN = 2 };

struct ring_event {
  __u32 pid;
  __s32 number;
  __u64 large;
  enum colour colour;
  char name[16];
  __u8 raw[4];
};

struct perf_event {
  __u64 argument;
  __s16 minus;
};

struct key {
  __u32 low;
  __u32 high;
};

struct value {
  __u64 hits;
  __s64 last;
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 18);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16);
} untyped SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct key);
  __type(value, struct value);
} pairs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __s64);
} negative SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} percpu SEC(".maps");

struct hist {
  __u32 slots[20];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct hist);
} hists SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} small SEC(".maps");

const volatile __u64 factor = 1;
const volatile __s32 shift = 0;
const volatile char word[8] = "none";
const volatile _Bool loud = 0;

const struct ring_event *unused_ring __attribute__((unused));
const struct perf_event *unused_perf __attribute__((unused));
static const struct hist no_hist;

SEC("uprobe")
int ring_typed(struct pt_regs *ctx) {
  struct ring_event *e = bpf_ringbuf_reserve(&ring, sizeof *e, 0);
  if (!e)
    return 0;
  e->pid = bpf_get_current_pid_tgid() >> 32;
  e->number = -5 - (__s32)PT_REGS_PARM1(ctx);
  e->large = 0x123456789abcdefull;
  e->colour = GREEN;
  __builtin_memset(e->name, 0, sizeof e->name);
  e->name[0] = 'w';
  e->name[1] = 'o';
  e->raw[0] = 1;
  e->raw[1] = 2;
  e->raw[2] = 253;
  e->raw[3] = 0;
  bpf_ringbuf_submit(e, 0);
  return 0;
}

SEC("uprobe")
int perf_typed(struct pt_regs *ctx) {
  struct perf_event e = {};
  e.argument = PT_REGS_PARM1(ctx) * factor + shift;
  e.minus = -7;
  bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &e, sizeof e);
  return 0;
}

SEC("uprobe")
int ring_untyped(struct pt_regs *ctx) {
  __u8 *bytes = bpf_ringbuf_reserve(&untyped, 10, 0);
  if (!bytes)
    return 0;
  for (int i = 0; i < 10; i++)
    bytes[i] = 0xf6 + i;
  bpf_ringbuf_submit(bytes, 0);
  return 0;
}

SEC("uprobe")
int printk(struct pt_regs *ctx) {
  bpf_printk("argument %d of %s is %llx", 1, "work", PT_REGS_PARM1(ctx) + 255);
  return 0;
}

SEC("uprobe")
int printk_rodata(struct pt_regs *ctx) {
  char copy[8];
  for (int i = 0; i < 8; i++)
    copy[i] = word[i];
  copy[7] = 0;
  bpf_printk("factor %llu shift %d word %s", factor, shift, copy);
  if (loud)
    bpf_printk("loud");
  return 0;
}

// A pointer in the value does not make a map something to hide.
struct place {
  __u64 hits;
  void *address;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct place);
} places SEC(".maps");

SEC("uprobe")
int pointers(struct pt_regs *ctx) {
  __u32 five = 5;
  struct place place = {.hits = 3, .address = (void *)0x1234};
  bpf_map_update_elem(&places, &five, &place, BPF_ANY);
  return 0;
}

SEC("uprobe")
int maps(struct pt_regs *ctx) {
  __u64 i = PT_REGS_PARM1(ctx);
  __u32 zero = 0;
  struct key k = {.low = i & 1, .high = 7};
  struct value first = {.hits = 1, .last = -(__s64)i}, *v = bpf_map_lookup_elem(&pairs, &k);
  if (v) {
    v->hits++;
    v->last = -(__s64)i;
  } else {
    bpf_map_update_elem(&pairs, &k, &first, BPF_ANY);
  }
  __s64 *n = bpf_map_lookup_elem(&negative, &zero);
  if (n)
    *n -= 3;
  __u64 *p = bpf_map_lookup_elem(&percpu, &zero);
  if (p)
    *p += i;
  return 0;
}

SEC("uprobe")
int histogram(struct pt_regs *ctx) {
  __u64 i = PT_REGS_PARM1(ctx);
  __u32 key = 3, slot = 0;
  struct hist *h = bpf_map_lookup_elem(&hists, &key);
  if (!h) {
    bpf_map_update_elem(&hists, &key, &no_hist, BPF_NOEXIST);
    h = bpf_map_lookup_elem(&hists, &key);
    if (!h)
      return 0;
  }
  for (int s = 1; s < 20; s++)
    if (i >> s)
      slot = s;
  if (slot < 20)
    __sync_fetch_and_add(&h->slots[slot], 1);
  return 0;
}

SEC("uprobe")
int fill(struct pt_regs *ctx) {
  __u32 key = PT_REGS_PARM1(ctx);
  __u64 value = key * 2;
  bpf_map_update_elem(&small, &key, &value, BPF_ANY);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
