/* SPDX-License-Identifier: MIT
 *
 * Reads of the task that bpf_get_current_task returns (bpfaot/task.h). Its fields are not kept
 * anywhere: each is asked of the kernel when it is read, by the cheapest call that opens nothing in
 * the process. What the kernel tells nobody about another task (the name of the parent) is a fault,
 * as a field that does not exist is.
 */
#include "minirt/task_read.h"
#include "bpfaot/task.h"
#include "minirt/helpers.h"

enum source {
  OWN_TID,
  OWN_PID,
  PARENT_PID,
  COMM,
  ADDRESS,   /* argument: offset of the object */
  NAMESPACE, /* argument: one of enum space */
  NUMBER,    /* argument */
  CREDENTIAL /* argument: one of enum credential */
};
enum space { UTS, IPC, MNT, PID, NET, TIME, CGROUP };
enum credential { UID, GID, EUID, EGID };

enum { kCommSize = 16, kAtCwd = -100, kGetName = 16, kLongestField = 16 };

struct task_field {
  uint16_t at, size, source, argument;
};

#define AREA(place) __builtin_offsetof(struct bpfaot_task_area, place)
#define FIELD(place, source, argument)                                                             \
  {AREA(place), sizeof(((struct bpfaot_task_area*)0)->place), source, argument}

static const struct task_field kFields[] = {
    FIELD(current.pid, OWN_TID, 0),
    FIELD(current.tgid, OWN_PID, 0),
    FIELD(current.comm, COMM, 0),
    FIELD(current.real_parent, ADDRESS, AREA(parent)),
    FIELD(current.parent, ADDRESS, AREA(parent)),
    FIELD(current.group_leader, ADDRESS, AREA(leader)),
    FIELD(current.thread_pid, ADDRESS, AREA(pid)),
    FIELD(current.nsproxy, ADDRESS, AREA(nsproxy)),
    FIELD(current.real_cred, ADDRESS, AREA(cred)),
    FIELD(current.cred, ADDRESS, AREA(cred)),
    FIELD(leader.pid, OWN_PID, 0),
    FIELD(leader.tgid, OWN_PID, 0),
    FIELD(leader.real_parent, ADDRESS, AREA(parent)),
    FIELD(leader.parent, ADDRESS, AREA(parent)),
    FIELD(leader.group_leader, ADDRESS, AREA(leader)),
    FIELD(leader.nsproxy, ADDRESS, AREA(nsproxy)),
    FIELD(parent.pid, PARENT_PID, 0),
    FIELD(parent.tgid, PARENT_PID, 0),
    FIELD(parent.group_leader, ADDRESS, AREA(parent)),
    FIELD(pid.level, NUMBER, 0),
    FIELD(pid.numbers[0].nr, OWN_TID, 0),
    FIELD(pid.numbers[0].ns, ADDRESS, AREA(pids)),
    FIELD(cred.uid, CREDENTIAL, UID),
    FIELD(cred.gid, CREDENTIAL, GID),
    FIELD(cred.euid, CREDENTIAL, EUID),
    FIELD(cred.egid, CREDENTIAL, EGID),
    FIELD(nsproxy.uts_ns, ADDRESS, AREA(uts)),
    FIELD(nsproxy.ipc_ns, ADDRESS, AREA(ipc)),
    FIELD(nsproxy.mnt_ns, ADDRESS, AREA(mnt)),
    FIELD(nsproxy.pid_ns_for_children, ADDRESS, AREA(pids)),
    FIELD(nsproxy.net_ns, ADDRESS, AREA(net)),
    FIELD(nsproxy.time_ns, ADDRESS, AREA(time)),
    FIELD(nsproxy.cgroup_ns, ADDRESS, AREA(cgroup)),
    FIELD(uts.ns.inum, NAMESPACE, UTS),
    FIELD(ipc.ns.inum, NAMESPACE, IPC),
    FIELD(mnt.ns.inum, NAMESPACE, MNT),
    FIELD(pids.ns.inum, NAMESPACE, PID),
    FIELD(pids.level, NUMBER, 0),
    FIELD(net.ns.inum, NAMESPACE, NET),
    FIELD(time.ns.inum, NAMESPACE, TIME),
    FIELD(cgroup.ns.inum, NAMESPACE, CGROUP),
};

static long call(long number) {
  return rt_syscall6(number, 0, 0, 0, 0, 0, 0);
}

static uint32_t credential(uint32_t which) {
  switch (which) {
  case UID: return (uint32_t)call(RT_NR_getuid);
  case GID: return (uint32_t)call(RT_NR_getgid);
  case EUID: return (uint32_t)call(RT_NR_geteuid);
  default: return (uint32_t)call(RT_NR_getegid);
  }
}

/* The link reads "mnt:[4026531841]". 0, which no namespace has, where there is no such link. */
static uint32_t namespace_number(uint32_t which) {
  static const char kNames[][8] = {"uts", "ipc", "mnt", "pid", "net", "time", "cgroup"};
  char path[40] = "/proc/thread-self/ns/", link[64];
  uint32_t end = 21;
  for (const char* c = kNames[which]; *c; c++)
    path[end++] = *c;
  path[end] = 0;
  long size = rt_syscall6(RT_NR_readlinkat, kAtCwd, (long)path, (long)link, sizeof link, 0, 0);
  uint32_t number = 0;
  bool inside = false;
  for (long i = 0; i < size; i++) {
    if (inside && link[i] >= '0' && link[i] <= '9')
      number = number * 10 + (uint32_t)(link[i] - '0');
    else
      inside = link[i] == '[';
  }
  return number;
}

/* Fills `out` with the field; false where nobody tells. */
static bool read_field(const struct task_field* field, uint8_t out[kLongestField]) {
  uint64_t value = 0;
  switch (field->source) {
  case OWN_TID: value = rt_gettid(); break;
  case OWN_PID: value = (uint32_t)call(RT_NR_getpid); break;
  case PARENT_PID: value = (uint32_t)call(RT_NR_getppid); break;
  case COMM: return rt_syscall6(RT_NR_prctl, kGetName, (long)out, 0, 0, 0, 0) == 0;
  case ADDRESS: value = BPFAOT_TASK_BASE + field->argument; break;
  case NAMESPACE:
    value = namespace_number(field->argument);
    if (!value)
      return false;
    break;
  case NUMBER: value = field->argument; break;
  case CREDENTIAL: value = credential(field->argument); break;
  }
  __builtin_memcpy(out, &value, sizeof value);
  return true;
}

/* The field of which [at, at + size) is a part, or null. */
static const struct task_field* field_at(uint64_t at, uint64_t size) {
  for (uint32_t i = 0; i < sizeof kFields / sizeof kFields[0]; i++) {
    const struct task_field* field = &kFields[i];
    if (at >= field->at && size <= field->size && at - field->at <= field->size - size)
      return field;
  }
  return NULL;
}

RT_COLD bool rt_task_read(void* to, uint64_t size, uint64_t from) {
  uint8_t bytes[kLongestField] = {0};
  const struct task_field* field = field_at(from - BPFAOT_TASK_BASE, size);
  if (!field || !read_field(field, bytes))
    return false;
  __builtin_memcpy(to, bytes + (from - BPFAOT_TASK_BASE - field->at), size);
  return true;
}

RT_COLD uint64_t rt_task_read_str(uint8_t* to, uint64_t size, uint64_t from) {
  uint8_t bytes[kLongestField] = {0};
  const struct task_field* field = field_at(from - BPFAOT_TASK_BASE, 1);
  if (!field || field->source != COMM || !read_field(field, bytes))
    return 0;
  bytes[kCommSize - 1] = 0;
  uint64_t at = from - BPFAOT_TASK_BASE - field->at;
  for (uint64_t i = 0; i < size; i++) {
    to[i] = i + 1 < size ? bytes[at + i] : 0;
    if (!to[i])
      return i + 1;
  }
  return 0;
}

#ifndef BPFAOT_MINIRT_BITCODE /* the compiler defines it with the programs */
const uint8_t __bpfaot_rt_reads_task = 1;
#endif

RT_HELPER uint64_t __bpfaot_rt_get_current_task(rt_env* env) {
  (void)env;
  return BPFAOT_TASK_ADDRESS(current);
}

RT_HELPER uint64_t __bpfaot_rt_get_current_task_btf(rt_env* env) {
  (void)env;
  return BPFAOT_TASK_ADDRESS(current);
}
