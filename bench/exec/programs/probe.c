// SPDX-License-Identifier: MIT
// Structures read by bpf_probe_read_kernel, sizes known, from the program's own stack.
#include "program.h"

struct task {
  __u64 id, parent;
  char name[16];
  __u32 flags, priority;
};

PROGRAM {
  struct task task = {in->words[0], in->words[1], "worker", 1, (__u32)in->words[2]};
  __u64 sum = 0;
  for (int i = 0; i < 8; ++i) {
    __u64 id = 0;
    __u32 priority = 0;
    char name[16];
    task.id += (__u64)i;
    bpf_probe_read_kernel(&id, sizeof id, &task.id);
    bpf_probe_read_kernel(&priority, sizeof priority, &task.priority);
    bpf_probe_read_kernel(name, sizeof name, task.name);
    sum = sum * 3 + id + priority + (__u64)name[i];
  }
  return (int)(sum ^ sum >> 32);
}
