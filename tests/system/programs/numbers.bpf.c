// SPDX-License-Identifier: MIT
// Numbers of system calls, compared with constants of this machine in all the ways in which they are had.
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
#ifndef WITHOUT_REGISTERS
#include <linux/ptrace.h>
#endif

struct record {
  unsigned long long common;
  long id;
  unsigned long args[6];
};
struct record_of_one {
  unsigned long long common;
  int __syscall_nr;
  unsigned long args[6];
};
const volatile long wanted = __NR_read;
volatile int sink;

SEC("tp/raw_syscalls/sys_enter")
int loaded(struct record *ctx) {
  return ctx->id == __NR_openat; // warned: loaded
}

SEC("tp/syscalls/sys_enter_futex")
int of_one(struct record_of_one *ctx) {
  return ctx->__syscall_nr != __NR_futex; // warned: of_one
}

SEC("raw_tp/sys_enter")
int raw(struct bpf_raw_tracepoint_args *ctx) {
  if (ctx->args[1] == __NR_execve) // warned: raw
    sink = 1;
  return 0;
}

#ifndef WITHOUT_REGISTERS
SEC("kprobe/f")
int by_register(struct pt_regs *ctx) {
  return (int)ctx->orig_rax == __NR_kill; // warned: by_register
}
#endif

SEC("tp/raw_syscalls/sys_exit")
int through_the_stack(struct record *ctx) {
  long id = 0;
  bpf_probe_read_kernel(&id, sizeof(id), &ctx->id);
  if (id == __NR_mmap) // warned: through_the_stack
    sink = 2;
  return 0;
}

static __attribute__((noinline)) int is_write(long number) {
  volatile long spilled = number;
  bpf_ktime_get_ns();
  return spilled == __NR_write; // warned: is_write
}

SEC("tp/raw_syscalls/sys_enter")
int through_a_call(struct record *ctx) {
  return is_write(ctx->id);
}

SEC("tp/raw_syscalls/sys_enter")
int several(struct record *ctx) {
  switch (ctx->id) {
  case __NR_socket: sink = 1; break;
  case __NR_bind: sink = 7; break;
  case __NR_listen: sink = 9; break;
  }
  return 0;
}

SEC("tp/raw_syscalls/sys_enter")
int quiet(struct record *ctx) {
  if (ctx->id < 0) // the same everywhere
    return 1;
  if (ctx->id == -1)
    return 2;
  if (ctx->id != wanted) // told at run time
    return 3;
  if (ctx->args[0] == __NR_read) // no number
    return 4;
  return (ctx->id ^ sink) == 6; // computed
}

char LICENSE[] SEC("license") = "GPL";
