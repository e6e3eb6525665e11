// SPDX-License-Identifier: MIT
// Who runs this, through the kernel's structures: same[] is what any process and kernel agree on,
// own[] what only a process says. The structures name the few fields that are used.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common { unsigned inum; };
struct mnt_namespace { struct ns_common ns; };
struct pid_namespace { unsigned level; struct ns_common ns; };
struct uts_namespace { struct ns_common ns; };
struct nsproxy { struct uts_namespace *uts_ns; struct mnt_namespace *mnt_ns; struct pid_namespace *pid_ns_for_children; };
struct upid { int nr; };
struct pid { unsigned level; struct upid numbers[1]; };
typedef struct { unsigned val; } kuid_t;
struct cred { kuid_t uid; };
struct mm_struct { unsigned long arg_start; };
struct task_struct {
  struct mm_struct *mm;
  struct nsproxy *nsproxy;
  struct task_struct *real_parent, *group_leader;
  char comm[16];
  int pid, tgid;
  struct pid *thread_pid;
  const struct cred *cred;
};
struct task_struct___never { int nobody_has_this; };
#pragma clang attribute pop

enum { VALUES = 16 };
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, VALUES);
  __type(key, __u32);
  __type(value, __u64);
} same SEC(".maps"), own SEC(".maps");

static __always_inline void put(void *map, __u32 index, __u64 value) {
  bpf_map_update_elem(map, &index, &value, BPF_ANY);
}

SEC("uprobe")
int identify(struct pt_regs *ctx) {
  struct task_struct *task = (void *)bpf_get_current_task();
  __u64 ids = bpf_get_current_pid_tgid();
  __u64 name[2] = {}, name_too[2] = {}, string[2] = {};
  bpf_get_current_comm(name, sizeof(name));
  bpf_core_read(name_too, sizeof(name_too), &task->comm);
  long length = bpf_core_read_str(string, sizeof(string), &task->comm);
  put(&same, 0, BPF_CORE_READ(task, tgid) == ids >> 32);
  put(&same, 1, BPF_CORE_READ(task, pid) == (__u32)ids);
  put(&same, 2, BPF_CORE_READ(task, group_leader, tgid) == ids >> 32);
  put(&same, 3, BPF_CORE_READ(task, real_parent, tgid) != 0);
  put(&same, 4, BPF_CORE_READ(task, real_parent, group_leader, pid) == BPF_CORE_READ(task, real_parent, tgid));
  put(&same, 5, name[0] == name_too[0] && name[0] == string[0]);
  put(&same, 6, length);
  put(&same, 7, BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum));
  put(&same, 8, BPF_CORE_READ(task, nsproxy, uts_ns, ns.inum));
  put(&same, 9, BPF_CORE_READ(task, nsproxy, pid_ns_for_children, ns.inum));
  put(&same, 10, BPF_CORE_READ(task, cred, uid.val));
  put(&same, 11, BPF_CORE_READ(task, thread_pid, numbers[0].nr) == (__u32)ids);
  put(&same, 12, bpf_core_field_exists(task->tgid));
  put(&same, 13, bpf_core_type_exists(struct task_struct___never) << 1 |
                     bpf_core_field_exists(((struct task_struct___never *)0)->nobody_has_this));
  return 0;
}

SEC("uprobe")
int absent(struct pt_regs *ctx) {
  struct task_struct *task = (void *)bpf_get_current_task();
  struct mm_struct *mm = (void *)1;
  put(&own, 0, bpf_core_read(&mm, sizeof(mm), &task->mm));
  put(&own, 1, (__u64)mm);
  put(&own, 2, BPF_CORE_READ(task, mm, arg_start));
  put(&own, 3, bpf_core_field_exists(task->mm));
  return 0;
}

#ifdef DIRECT
SEC("uprobe")
int direct(struct pt_regs *ctx) {
  struct task_struct *task = (void *)bpf_get_current_task_btf();
  return task->tgid;
}
#endif

char LICENSE[] SEC("license") = "GPL";
