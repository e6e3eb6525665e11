// SPDX-License-Identifier: MIT
//
// Maps in the old form, and definitions that are wrong, each used by one program.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __u32 type, key_size, value_size, max_entries, map_flags;
} old SEC("maps") = {1, 4, 8, 4, 0};

struct {
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} no_type SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(colour, 4);
} odd_attribute SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, __u32);
  __uint(key_size, 8);
} two_sizes SEC(".maps");

struct {
  int type;
} no_pointer SEC(".maps");

#define USES(map) \
  SEC("uprobe") int uses_##map(void *ctx) { __u32 k = 0; return bpf_map_lookup_elem(&map, &k) != 0; }
USES(old)
USES(no_type)
USES(odd_attribute)
USES(two_sizes)
USES(no_pointer)

const char *const names[] = {"a", "b"};
SEC("uprobe") int data_address(void *ctx) { return *(volatile const char *)names[bpf_get_prandom_u32() & 1]; }
SEC("uprobe") int fine(void *ctx) { return 0; }
