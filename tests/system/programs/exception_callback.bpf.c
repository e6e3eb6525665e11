// SPDX-License-Identifier: MIT
// bpf_throw with a callback for exceptions, which libbpf 1.1 does not load into a kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

#define NOINLINE __attribute__((noinline))
#define EXCEPTION_CALLBACK(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

struct input {
  __u64 word[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} array SEC(".maps");

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

NOINLINE int plus_ten(__u64 cookie) { return (int)cookie + 10; }

SEC("syscall")
EXCEPTION_CALLBACK(plus_ten)
int with_callback(struct input *in) {
  if (in->word[0] != 1)
    bpf_throw(in->word[1] & 0xff);
  return 3;
}

static NOINLINE __u64 from_map(__u32 key) {
  __u64 *value = bpf_map_lookup_elem(&array, &key);
  return value ? *value : 77;
}

NOINLINE int looks_up(__u64 cookie) {
  __u32 key = (__u32)cookie;
  return (int)from_map(key) + (int)cookie;
}

SEC("syscall")
EXCEPTION_CALLBACK(looks_up)
int callback_looks_up(struct input *in) {
  __u32 key = 1;
  __u64 value = in->word[2] & 0xffff;
  bpf_map_update_elem(&array, &key, &value, 0);
  return (int)middle((in->word[0] & ~3ull) + 1) + (int)in->word[3];
}

char LICENSE[] SEC("license") = "GPL";
