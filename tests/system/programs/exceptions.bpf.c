// SPDX-License-Identifier: MIT
// bpf_throw: each program depends on its input alone (four words), so it returns here what it returns
// in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

#define NOINLINE __attribute__((noinline))

struct input {
  __u64 word[4];
};

SEC("syscall")
int always(struct input *in) {
  bpf_throw(64);
  return 1;
}

SEC("syscall")
int zero(struct input *in) {
  bpf_throw(0);
  return 1;
}

SEC("syscall")
int sometimes(struct input *in) {
  if (in->word[0] & 1)
    bpf_throw(in->word[1]);
  return 5;
}

static NOINLINE __u64 innermost(__u64 x) {
  if ((x & 3) == 2)
    bpf_throw(x + 100);
  return x * 3;
}

static NOINLINE __u64 middle(__u64 x) {
  __u64 sum = innermost(x);
  sum += innermost(x + 1);
  return sum ^ 5;
}

SEC("syscall")
int through_functions(struct input *in) {
  __u64 sum = middle(in->word[0]);
  sum += middle(in->word[1] >> 3);
  return (int)sum;
}

// In a loop, with what was done before it still done.
static NOINLINE int checked(__u64 *slots, __u32 at, __u64 value) {
  if (at > 2)
    bpf_throw(value);
  slots[at & 3] = value;
  return (int)at;
}

SEC("syscall")
int in_loop(struct input *in) {
  __u64 slots[4] = {};
  int sum = 0;
  for (__u32 i = 0; i < 4; i++)
    sum += checked(slots, i & (__u32)in->word[2], in->word[0] + i);
  return sum + (int)slots[1];
}

// Global functions, and what only throws.
NOINLINE int global_throws(__u64 cookie) {
  bpf_throw(cookie);
  return 0;
}

NOINLINE int global_checks(__u64 x) {
  if (x > 1000)
    return global_throws(x & 0xffff);
  return (int)x;
}

SEC("syscall")
int by_global(struct input *in) { return global_checks(in->word[3]) + global_checks(in->word[0]); }

char LICENSE[] SEC("license") = "GPL";
