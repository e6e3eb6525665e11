// SPDX-License-Identifier: MIT
// Records from outside, drained by programs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;

struct {
  __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
  __uint(max_entries, 4096);
} records SEC(".maps");

struct totals {
  __u64 sum, bytes, stop;
};

static long add(struct bpf_dynptr *record, struct totals *totals) {
  __u32 word = 0;
  totals->bytes += bpf_dynptr_size(record);
  if (bpf_dynptr_read(&word, sizeof(word), record, 0, 0))
    return 1;
  totals->sum = totals->sum * 10 + word;
  return totals->stop-- == 0;
}

SEC("syscall")
int drain(void *ctx) {
  struct totals totals = {.stop = 100};
  long count = bpf_user_ringbuf_drain(&records, add, &totals, 0);
  return (int)(totals.sum * 10000 + totals.bytes * 100 + count);
}

// Two of them, then what is left.
SEC("syscall")
int in_parts(void *ctx) {
  struct totals totals = {.stop = 1};
  long first = bpf_user_ringbuf_drain(&records, add, &totals, 0);
  long second = bpf_user_ringbuf_drain(&records, add, &totals, 0);
  return (int)(totals.sum * 10000 + first * 100 + second);
}

static long by_slice(struct bpf_dynptr *record, __u64 *sum) {
  __u32 *words = bpf_dynptr_data(record, 0, 8);
  if (!words)
    return 0;
  words[1] += 1;
  *sum += words[0] * words[1];
  return 0;
}

SEC("syscall")
int slices(void *ctx) {
  __u64 sum = 0;
  bpf_user_ringbuf_drain(&records, by_slice, &sum, 0);
  return (int)sum;
}

SEC("syscall")
int bad_flags(void *ctx) {
  __u64 sum = 0;
  return (int)bpf_user_ringbuf_drain(&records, by_slice, &sum, 8);
}

char LICENSE[] SEC("license") = "GPL";
