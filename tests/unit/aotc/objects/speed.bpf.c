// SPDX-License-Identifier: MIT
//
// Programs that are slow when the lowering or a pass misses what it is there for.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct input {
  __u64 words[8];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static __always_inline __u64 step(__u64 x, __u32 what) {
  switch (what) {
  case 0: return x + 1;
  case 1: return x - 3;
  case 2: return x * 5;
  case 3: return x ^ 7;
  case 4: return x << 3;
  case 5: return x >> 1;
  case 6: return ~x;
  case 7: return x | 9;
  default: return x & 0xffff;
  }
}

SEC("syscall") int many_cases(struct input* in) {
  __u64 x = in->words[0];
  for (int i = 0; i < 16; ++i)
    x = step(x, (__u32)(x >> 8) & 15);
  return (int)x;
}

SEC("syscall") int all_cases(struct input* in) {
  __u64 x = in->words[0];
  for (int i = 0; i < 16; ++i)
    x = step(x, (__u32)(x >> 8) & 7);
  return (int)x;
}

SEC("syscall") int few_cases(struct input* in) {
  switch (in->words[0] & 255) {
  case 1: return (int)in->words[1];
  case 100: return (int)in->words[2] * 3;
  case 200: return (int)in->words[3] ^ 5;
  }
  return 0;
}

SEC("syscall") int counting(struct input* in) {
  __u64 words[8], sum = 0;
  __builtin_memcpy(words, in->words, sizeof words);
  for (int i = 0; i < 32; ++i) {
    const __u32 index = (__u32)(words[i & 7] >> (i & 24)) & 63;
    __u64* value = bpf_map_lookup_elem(&counters, &index);
    if (!value)
      return -1;
    *value += (__u64)i + index;
    sum += *value;
  }
  return (int)sum;
}

struct record {
  __u64 id;
  __u32 flags, rest;
  char name[16];
};

SEC("syscall") int own_reads(struct input* in) {
  struct record record = {in->words[0], 1, 2, "worker"};
  __u64 id = 0;
  char name[15];
  record.id += in->words[1];
  bpf_probe_read_kernel(&id, sizeof id, &record.id);
  bpf_probe_read_user(name, sizeof name, record.name);
  return (int)id + name[in->words[2] & 7];
}

SEC("syscall") int foreign_reads(struct input* in) {
  __u64 id = 0, behind = 0, before = 0;
  __u64 frame[4] = {in->words[0], in->words[1], in->words[2], in->words[3]};
  bpf_probe_read_kernel(&id, sizeof id, (void*)in->words[1]);
  bpf_probe_read_kernel(&behind, sizeof behind, (char*)frame + 1000);
  bpf_probe_read_kernel(&before, sizeof before, &frame[in->words[0] & 3]);
  return (int)(id + behind + before);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
