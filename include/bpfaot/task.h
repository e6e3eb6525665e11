/* SPDX-License-Identifier: MIT
 *
 * What a process has of the kernel's description of a task: identity and namespaces. Names are the
 * kernel's, so that CO-RE finds them; the layout is ours. Programs are relocated to it
 * (bpf/kernel_types.c), and minirt answers reads of it (minirt/task_read.c). Nothing lies at these
 * addresses: they are in the half of the address space that a process never has, and only the
 * probe_read family knows them.
 */
#pragma once

#include <stdint.h>

struct task_struct {
  int32_t pid;
  int32_t tgid;
  char comm[16];
  struct task_struct* real_parent;
  struct task_struct* parent;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct nsproxy* nsproxy;
  const struct cred* real_cred;
  const struct cred* cred;
};

struct ns_common {
  uint32_t inum;
};
struct pid_namespace {
  struct ns_common ns;
  uint32_t level; /* 0: ids are those that the process itself sees */
};
struct mnt_namespace {
  struct ns_common ns;
};
struct uts_namespace {
  struct ns_common ns;
};
struct ipc_namespace {
  struct ns_common ns;
};
struct cgroup_namespace {
  struct ns_common ns;
};
struct time_namespace {
  struct ns_common ns;
};
struct net {
  struct ns_common ns;
};
struct nsproxy {
  struct uts_namespace* uts_ns;
  struct ipc_namespace* ipc_ns;
  struct mnt_namespace* mnt_ns;
  struct pid_namespace* pid_ns_for_children;
  struct net* net_ns;
  struct time_namespace* time_ns;
  struct cgroup_namespace* cgroup_ns;
};

struct upid {
  int32_t nr;
  struct pid_namespace* ns;
};
struct pid {
  uint32_t level;
  struct upid numbers[1];
};

typedef struct {
  uint32_t val;
} kuid_t;
typedef struct {
  uint32_t val;
} kgid_t;
struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t euid;
  kgid_t egid;
};

/* Where each object is, from BPFAOT_TASK_BASE. */
struct bpfaot_task_area {
  struct task_struct current, leader, parent;
  struct pid pid;
  struct cred cred;
  struct nsproxy nsproxy;
  struct uts_namespace uts;
  struct ipc_namespace ipc;
  struct mnt_namespace mnt;
  struct pid_namespace pids;
  struct net net;
  struct time_namespace time;
  struct cgroup_namespace cgroup;
};

#define BPFAOT_TASK_BASE UINT64_C(0xffffa00000000000)
#define BPFAOT_TASK_ADDRESS(object)                                                                \
  (BPFAOT_TASK_BASE + __builtin_offsetof(struct bpfaot_task_area, object))
