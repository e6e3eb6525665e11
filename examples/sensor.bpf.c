// SPDX-License-Identifier: MIT
//
// Watches read_sensor() of sensor.c: how many readings each channel gets, and an event for each
// reading over a limit. The entry probe sees the channel, the return probe the value.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define CHANNELS 8

// A reading over it is an event: bpf-aot run --set limit=300 …
const volatile __s64 limit = 425;

struct channel {
  __u64 readings;
  __s64 highest;
};

struct alarm {
  __u32 pid;
  __s32 channel;
  __s64 value;
  char comm[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CHANNELS);
  __type(key, __u32);
  __type(value, struct channel);
} channels SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u32); // thread
  __type(value, __u32);
} under_way SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} alarms SEC(".maps");

const struct alarm *unused __attribute__((unused)); // keeps the type in the BTF of the object

SEC("uprobe//board/sensor:read_sensor")
int on_entry(struct pt_regs *ctx) {
  __u32 channel = PT_REGS_PARM1(ctx);
  __u32 tid = bpf_get_current_pid_tgid();
  struct channel fresh = {1, 0};
  struct channel *seen = bpf_map_lookup_elem(&channels, &channel);

  if (seen)
    __sync_fetch_and_add(&seen->readings, 1);
  else
    bpf_map_update_elem(&channels, &channel, &fresh, BPF_NOEXIST);
  bpf_map_update_elem(&under_way, &tid, &channel, BPF_ANY);
  return 0;
}

SEC("uretprobe//board/sensor:read_sensor")
int on_return(struct pt_regs *ctx) {
  __s64 value = (__s32)PT_REGS_RC(ctx);
  __u64 pid_tgid = bpf_get_current_pid_tgid();
  __u32 tid = pid_tgid;
  __u32 *channel = bpf_map_lookup_elem(&under_way, &tid);
  struct channel *seen;
  struct alarm *alarm;

  if (!channel)
    return 0;
  seen = bpf_map_lookup_elem(&channels, channel);
  if (seen && value > seen->highest)
    seen->highest = value;
  if (value <= limit)
    return 0;
  alarm = bpf_ringbuf_reserve(&alarms, sizeof(*alarm), 0);
  if (!alarm)
    return 0;
  alarm->pid = pid_tgid >> 32;
  alarm->channel = *channel;
  alarm->value = value;
  bpf_get_current_comm(alarm->comm, sizeof(alarm->comm));
  bpf_ringbuf_submit(alarm, 0);
  return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
