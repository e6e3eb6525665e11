// SPDX-License-Identifier: MIT
// Programs of kinds that nothing attaches yet: what they read of their context.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

// The record of a system call: the common fields are the kernel's own.
struct enter {
  unsigned long long common;
  long number;
  unsigned long args[6];
};

struct leave {
  unsigned long long common;
  long number, result;
};

SEC("tracepoint/syscalls/sys_enter_openat")
int at_enter(struct enter *record) { return (int)(record->number * 1000 + record->args[0] * 10 + record->args[5]); }

SEC("tp/raw_syscalls/sys_exit")
int at_leave(struct leave *record) { return (int)(record->number + record->result); }

SEC("tp/syscalls/sys_exit_read")
int part(struct leave *record) { return *((unsigned char *)&record->result + 7); }

SEC("tp/sched/sched_process_exec")
int elsewhere(void *record) { return 0; }

SEC("usdt")
int at_usdt(struct pt_regs *regs) { return (int)PT_REGS_PARM1(regs); }

SEC("ksyscall/openat")
int at_call(struct pt_regs *regs) { return (int)PT_REGS_PARM2(regs); }

SEC("perf_event")
int at_sample(struct bpf_perf_event_data *sample) {
  return (int)(PT_REGS_PARM1(&sample->regs) + 10 * sample->sample_period + 100 * sample->addr);
}

char LICENSE[] SEC("license") = "GPL";
