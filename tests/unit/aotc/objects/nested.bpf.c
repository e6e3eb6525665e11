// SPDX-License-Identifier: MIT
// Callbacks that are called through pointers, and call others so.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define WORDS 25

static int inner(__u32 i, void* context, __u32 factor) {
  volatile __u64 words[WORDS];
  for (int k = 0; k < WORDS; k++)
    words[k] = i * factor + k;
  return words[i & 7] == 99;
}

static int first(__u32 i, void* context) {
  return inner(i, context, 1);
}

static int second(__u32 i, void* context) {
  return inner(i, context, 2);
}

static int outer(__u32 i, void* context, __u32 bit) {
  volatile __u64 words[WORDS];
  for (int k = 0; k < WORDS; k++)
    words[k] = i + k;
  bpf_loop(5, i & bit ? first : second, 0, 0);
  return words[i & 7] == 98;
}

static int third(__u32 i, void* context) {
  return outer(i, context, 1);
}

static int fourth(__u32 i, void* context) {
  return outer(i, context, 2);
}

SEC("syscall")
int nested(__u64* word) {
  bpf_loop(4, *word & 1 ? third : fourth, 0, 0);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
