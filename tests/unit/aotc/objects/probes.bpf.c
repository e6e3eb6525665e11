// SPDX-License-Identifier: MIT
//
// What the tests of the compiler compile: probes that use each kind of memory.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
  __u64 size;
  __u32 pid;
  char comm[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, struct event);
} by_size SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} per_cpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 65536);
} events SEC(".maps");

const volatile __u64 threshold = 64;
__u64 total;

// Counts, and nothing else: what a probe costs at least.
SEC("uprobe/libc.so.6:malloc")
int count(struct pt_regs *ctx) {
  __u32 key = 3;
  __u64 *value = bpf_map_lookup_elem(&counts, &key);
  if (value)
    __sync_fetch_and_add(value, 1);
  return 0;
}

SEC("uprobe/libc.so.6:malloc")
int BPF_KPROBE(record, __u64 size) {
  if (size < threshold)
    return 0;
  total += size;
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return 0;
  event->size = size;
  event->pid = bpf_get_current_pid_tgid() >> 32;
  bpf_get_current_comm(event->comm, sizeof(event->comm));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("uretprobe/libc.so.6:malloc")
int BPF_KRETPROBE(returned, void *address) {
  __u32 key = address == 0;
  __u64 *value = bpf_map_lookup_elem(&per_cpu, &key);
  if (value)
    *value += 1;
  return 0;
}

// Arguments of every class, in a struct whose last member is not naturally aligned.
struct __attribute__((packed)) odd {
  __u8 head;
  __u64 tail;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct odd);
} odds SEC(".maps");

static __attribute__((noinline)) __u64 mix(__u64 a, __u64 b) { return a * 31 + (b ^ (a >> 7)); }

SEC("?uprobe")
int BPF_KPROBE(arguments, __u64 a, __u64 b, __u64 c, __u64 d, __u64 e) {
  __u32 key = 0;
  struct odd *odd = bpf_map_lookup_elem(&odds, &key);
  if (odd)
    odd->tail += mix(a, b) / (c | 1) + d % (e | 1);
  return 0;
}

SEC("kretprobe/do_sys_open")
int kernel_shaped(struct pt_regs *ctx) {
  total += PT_REGS_SP(ctx) + PT_REGS_IP(ctx) + PT_REGS_FP(ctx);
  bpf_printk("total %d", (int)total);
  return 0;
}

// As PT_REGS_SP_CORE and PT_REGS_PARM2_CORE read them.
SEC("kprobe")
int core_shaped(struct pt_regs *ctx) {
  __u64 sp = 0;
  __u32 second = 0;
  bpf_probe_read_kernel(&sp, sizeof sp, &PT_REGS_SP(ctx));
  bpf_probe_read_kernel(&second, sizeof second, &PT_REGS_PARM2(ctx));
  return sp + second;
}

char LICENSE[] SEC("license") = "GPL";
