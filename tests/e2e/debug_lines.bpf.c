// SPDX-License-Identifier: MIT
// For debug_lines.sh, which looks for the marked lines in the debug information of the image.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} sums SEC(".maps");

static __attribute__((noinline)) __u64 mix(__u64 x) {
  for (int i = 0; i < 64; i++) {
    x ^= x >> 7;
    x *= 1099511628211ull; // line: multiply
  }
  return x;
}

SEC("uprobe")
int on_work(void* ctx) { // line: begin
  __u32 key = 3;
  __u64* value = bpf_map_lookup_elem(&sums, &key);
  if (value)
    *value = mix(*value + 1); // line: store
  return 0;
}

char _license[] SEC("license") = "MIT";
