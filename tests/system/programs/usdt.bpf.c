// SPDX-License-Identifier: MIT
// libbpf's access to the arguments of USDT probes. Nothing attaches these programs, so the program itself
// writes the specifications that a loader would.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

const volatile short second_register; // offset of the register of the second argument
long memory = -77;

static void describe(void) {
  int zero = 0;
  struct __bpf_usdt_spec *spec = bpf_map_lookup_elem(&__bpf_usdt_specs, &zero);
  if (!spec)
    return;
  spec->arg_cnt = 3;
  spec->usdt_cookie = 0x1234;
  spec->args[0] = (struct __bpf_usdt_arg_spec){.val_off = (__u64)-9, .arg_type = BPF_USDT_ARG_CONST, .arg_signed = true, .arg_bitshift = 32};
  spec->args[1] = (struct __bpf_usdt_arg_spec){.arg_type = BPF_USDT_ARG_REG, .reg_off = second_register, .arg_bitshift = 48};
  spec->args[2] = (struct __bpf_usdt_arg_spec){.val_off = 8, .arg_type = BPF_USDT_ARG_REG_DEREF, .reg_off = second_register, .arg_signed = true};
}

SEC("usdt")
int arguments(struct pt_regs *ctx) { describe(); return bpf_usdt_arg_cnt(ctx); }

SEC("usdt")
int cookie(struct pt_regs *ctx) { describe(); return bpf_usdt_cookie(ctx); }

SEC("usdt")
int BPF_USDT(first, long value) { describe(); return 0; }

SEC("usdt")
int constant(struct pt_regs *ctx) {
  long value;
  describe();
  return bpf_usdt_arg(ctx, 0, &value) ?: value;
}

SEC("usdt")
int in_register(struct pt_regs *ctx) {
  long value;
  describe();
  return bpf_usdt_arg(ctx, 1, &value) ?: value;
}

SEC("usdt")
int behind_register(struct pt_regs *ctx) {
  long value;
  describe();
  return bpf_usdt_arg(ctx, 2, &value) ?: value;
}

SEC("usdt")
int too_far(struct pt_regs *ctx) {
  long value;
  describe();
  return bpf_usdt_arg(ctx, 3, &value) ?: value;
}

char LICENSE[] SEC("license") = "GPL";
