// SPDX-License-Identifier: MIT
//
// One good program, two of kinds that cannot run in a process, one that the verifier must refuse.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} values SEC(".maps");

SEC("uprobe")
int good(void *ctx) { return 7; }

SEC("fentry/do_unlinkat")
int in_kernel(void *ctx) { return 0; }

SEC("tracepoint/sched/sched_switch")
int on_tracepoint(void *ctx) { return 0; }

#ifdef WITH_BAD
SEC("uprobe")
int no_null_check(void *ctx) {
  __u32 key = bpf_get_prandom_u32();
  __u64 *value = bpf_map_lookup_elem(&values, &key);
  return *value;
}
#endif

char LICENSE[] SEC("license") = "GPL";
