// SPDX-License-Identifier: MIT
//
// Parts of one object: compiled once for each PART_…, and linked in several ways.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef unsigned int u32;
typedef unsigned long long u64;

#if defined(PART_MAIN) || defined(PART_OTHER_MAP)
#ifdef PART_OTHER_MAP
#define KEY u64
#else
#define KEY u32
#endif
extern struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, KEY);
  __type(value, u64);
  __uint(max_entries, 16);
} shared SEC(".maps");
#endif

#if defined(PART_MAIN)
extern int counter;
extern int elsewhere(int);
__weak int choice(void) { return 1; }
__weak int weak_number = 10;
static __attribute__((noinline)) int same_name(int x) { return x * 3; }

SEC("uprobe")
int entry(void *ctx) {
  u32 key = 1;
  u64 *value = bpf_map_lookup_elem(&shared, &key);
  counter++;
  return elsewhere(2) + choice() + (value ? 1 : 0) + weak_number + same_name(counter);
}
#elif defined(PART_OTHER_MAP)
SEC("uprobe")
int other_entry(void *ctx) {
  u64 key = 1;
  return bpf_map_lookup_elem(&shared, &key) != 0;
}
#elif defined(PART_LIBRARY)
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, u32);
  __type(value, u64);
  __uint(max_entries, 16);
} shared SEC(".maps");
int counter = 5;
int weak_number = 20;
int choice(void) { return 2; }
static __attribute__((noinline)) int same_name(int x) { return x * 5; }
int elsewhere(int x) { return same_name(x) + counter; }
#elif defined(PART_CLASH)
int choice(void) { return 3; }
#elif defined(PART_WRONG_TYPE)
long counter = 5;
int elsewhere(int x) { return x; }
#elif defined(PART_WEAK_MAP)
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, u32);
  __type(value, u64);
  __uint(max_entries, ENTRIES);
} shared __weak SEC(".maps");
SEC("uprobe")
int NAME(void *ctx) {
  u32 key = 1;
  return bpf_map_lookup_elem(&shared, &key) != 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
