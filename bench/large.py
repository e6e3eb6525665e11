#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program of about N eBPF instructions, in C, to measure compile time: arithmetic on a running value
with a branch in every block, and a map in some. usage: large.py N"""
import sys

BLOCK = 43  # instructions of a block, with its share of the calls
insns = int(sys.argv[1])
print("""// SPDX-License-Identifier: MIT
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, __u64); __type(value, __u64); } seen SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 256); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
char LICENSE[] SEC("license") = "GPL";
SEC("syscall") int large(__u64 *ctx) {
  __u64 x = ctx[0], y = ctx[1];
  __u32 index;
  __u64 *value;""")
for i in range(insns // BLOCK):
    a, b, c = (i * 2654435761 >> 3 & 0x7FFFFFFF | 1), i % 23 + 7, i % 29 + 3
    print(f"""  x ^= x >> {b}; x *= {a}u; x ^= x << {c}; y += x; y ^= y >> {c}; y *= {a ^ 0x5555}u;
  y -= x >> {b}; x += y << {c % 13 + 1}; x |= y & {a}u; y ^= x * {c}; x ^= y >> {b}; x *= {a >> 1 | 1}u;
  if (x & {1 << i % 31}u) y += {a >> 7}u; else x -= y;""")
    if i % 4 == 0:
        print("""  index = x & 255; value = bpf_map_lookup_elem(&counts, &index);
  if (value) { *value += y; y ^= *value >> 5; }""")
    if i % 64 == 0:
        print("""  value = bpf_map_lookup_elem(&seen, &x);
  if (value) y += *value; else bpf_map_update_elem(&seen, &y, &x, BPF_ANY);""")
print("  return (int)(x ^ y);\n}")
