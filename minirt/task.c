/* SPDX-License-Identifier: MIT
 *
 * Helpers about the moment and the task: time, CPU, ids, name, random numbers, attach point,
 * cgroup.
 */
#include "minirt/helpers.h"
#include "minirt/rt.h"

enum {
  RT_CLOCK_MONOTONIC = 1,
  RT_CLOCK_MONOTONIC_COARSE = 6,
  RT_CLOCK_BOOTTIME = 7,
  RT_CLOCK_TAI = 11,
  RT_PR_GET_NAME = 16,
  RT_COMM_SIZE = 16,
  RT_BOOT_JIFFIES = 300, /* seconds before zero at which the kernel's counter starts */
};

struct rt_timespec {
  int64_t seconds, nanoseconds;
};
typedef int (*rt_clock_gettime)(int, struct rt_timespec*);

static RT_COLD void clock_by_system_call(uint32_t clock, struct rt_timespec* now) {
  if (rt_syscall6(RT_NR_clock_gettime, clock, (long)now, 0, 0, 0, 0))
    now->seconds = now->nanoseconds = 0;
}

/* The vDSO function follows the C convention; where it uses vector registers the loader leaves the
 * pointer null, since an attached program must not change them. */
RT_INLINE uint64_t read_clock(uint32_t clock) {
  struct rt_timespec now;
  rt_clock_gettime vdso = (rt_clock_gettime)__bpfaot_rt.clock_gettime;
  if (rt_unlikely(!vdso) || rt_unlikely(vdso((int)clock, &now)))
    clock_by_system_call(clock, &now);
  return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.nanoseconds;
}

uint64_t rt_clock(uint32_t clock) {
  return read_clock(clock);
}

RT_HELPER uint64_t __bpfaot_rt_ktime_get_ns(rt_env* env) {
  (void)env;
  return read_clock(RT_CLOCK_MONOTONIC);
}

RT_HELPER uint64_t __bpfaot_rt_ktime_get_boot_ns(rt_env* env) {
  (void)env;
  return read_clock(RT_CLOCK_BOOTTIME);
}

RT_HELPER uint64_t __bpfaot_rt_ktime_get_coarse_ns(rt_env* env) {
  (void)env;
  return read_clock(RT_CLOCK_MONOTONIC_COARSE);
}

RT_HELPER uint64_t __bpfaot_rt_ktime_get_tai_ns(rt_env* env) {
  (void)env;
  return read_clock(RT_CLOCK_TAI);
}

/* The kernel counts ticks from the last 300 seconds of 32 bits on (INITIAL_JIFFIES); the resolution of
 * its coarse clock is the length of one. */
static RT_SLOW uint64_t jiffies(void) {
  struct rt_timespec tick = {0, 0};
  if (rt_syscall6(RT_NR_clock_getres, RT_CLOCK_MONOTONIC_COARSE, (long)&tick, 0, 0, 0, 0) ||
      tick.seconds || tick.nanoseconds <= 0)
    return 0;
  uint64_t per_second = 1000000000u / (uint64_t)tick.nanoseconds;
  uint32_t first = (uint32_t)0 - (uint32_t)(RT_BOOT_JIFFIES * per_second);
  return first + read_clock(RT_CLOCK_MONOTONIC_COARSE) / (uint64_t)tick.nanoseconds;
}

RT_HELPER uint64_t __bpfaot_rt_jiffies64(rt_env* env) {
  (void)env;
  return jiffies();
}

static RT_COLD uint32_t cpu_by_system_call(void) {
  uint32_t cpu = 0;
  rt_syscall6(RT_NR_getcpu, (long)&cpu, 0, 0, 0, 0, 0);
  return cpu;
}

/* rseq's cpu_id is negative where the thread has not registered one. */
RT_INLINE uint32_t cpu_number(void) {
  uint32_t method = __bpfaot_rt.cpu_method;
  if (RT_HAS_CPU_REGISTER && rt_likely(method == BPFAOT_CPU_RDPID))
    return rt_cpu_register();
  if (method == BPFAOT_CPU_RSEQ) {
    uint64_t thread = rt_thread_pointer(__bpfaot_rt.thread_method);
    if (rt_likely(thread)) {
      /* struct rseq: cpu_id_start, cpu_id */
      int32_t cpu = rt_load((const int32_t*)(thread + (uint64_t)(int64_t)__bpfaot_rt.rseq_off + 4));
      if (rt_likely(cpu >= 0))
        return (uint32_t)cpu;
    }
  }
  return cpu_by_system_call();
}

uint32_t rt_cpu_number(void) {
  return cpu_number();
}

RT_HELPER uint64_t __bpfaot_rt_get_smp_processor_id(rt_env* env) {
  (void)env;
  return cpu_number();
}

static RT_SLOW uint32_t numa_node(void) {
  uint32_t cpu = 0, node = 0;
  rt_syscall6(RT_NR_getcpu, (long)&cpu, (long)&node, 0, 0, 0, 0);
  return node;
}

RT_HELPER uint64_t __bpfaot_rt_get_numa_node_id(rt_env* env) {
  (void)env;
  return numa_node();
}

static RT_COLD uint64_t ids_by_system_call(void) {
  return (uint64_t)(uint32_t)rt_syscall6(RT_NR_getpid, 0, 0, 0, 0, 0, 0) << 32 | rt_gettid();
}

/* enter has found and checked the thread already when the program is guarded. */
RT_HELPER uint64_t __bpfaot_rt_get_current_pid_tgid(rt_env* env) {
  struct bpfaot_thread* thread = env->thread ? env->thread : rt_current_thread();
  if (rt_unlikely(!thread))
    return ids_by_system_call();
  return (uint64_t)thread->tgid << 32 | thread->tid;
}

/* struct statx of uapi/linux/stat.h, as far as it is needed. */
struct rt_statx {
  uint8_t before_inode[32];
  uint64_t inode;
  uint8_t before_device[96];
  uint32_t device_major, device_minor;
  uint8_t rest[112];
};
_Static_assert(sizeof(struct rt_statx) == 256 && offsetof(struct rt_statx, device_major) == 136,
               "the kernel writes it");

/* As the kernel: the ids are of the namespace that is named, which must be the task's own. */
static RT_SLOW int64_t ns_ids(uint64_t device, uint64_t inode, uint32_t* out) {
  enum { kHere = -100, kInode = 0x100 };
  struct rt_statx space;
  if (rt_syscall6(RT_NR_statx, kHere, (long)"/proc/self/ns/pid", 0, kInode, (long)&space, 0))
    return -RT_EINVAL;
  uint64_t number = (uint64_t)space.device_major << 20 | space.device_minor; /* the kernel's dev_t */
  if (device != number || inode != space.inode)
    return -RT_EINVAL;
  out[0] = rt_gettid();
  out[1] = (uint32_t)rt_syscall6(RT_NR_getpid, 0, 0, 0, 0, 0, 0);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_get_ns_current_pid_tgid(rt_env* env, uint64_t device, uint64_t inode,
                                                       void* ids, uint64_t size) {
  (void)env;
  uint32_t found[2] = {0, 0};
  int64_t result = size == sizeof found ? ns_ids(device, inode, found) : -RT_EINVAL;
  __builtin_memset(ids, 0, size);
  if (!result)
    __builtin_memcpy(ids, found, sizeof found);
  return (uint64_t)result;
}

static RT_SLOW uint64_t uid_gid(void) {
  uint32_t uid = (uint32_t)rt_syscall6(RT_NR_getuid, 0, 0, 0, 0, 0, 0);
  uint32_t gid = (uint32_t)rt_syscall6(RT_NR_getgid, 0, 0, 0, 0, 0, 0);
  return (uint64_t)gid << 32 | uid;
}

RT_HELPER uint64_t __bpfaot_rt_get_current_uid_gid(rt_env* env) {
  (void)env;
  return uid_gid();
}

/* As the kernel's strscpy_pad: at most size - 1 bytes of the name, zeros up to `size`. */
static RT_SLOW void current_comm(uint8_t* out, uint64_t size) {
  char name[RT_COMM_SIZE] = {0};
  if (rt_syscall6(RT_NR_prctl, RT_PR_GET_NAME, (long)name, 0, 0, 0, 0))
    name[0] = 0;
  name[RT_COMM_SIZE - 1] = 0;
  bool ended = false;
  for (uint64_t i = 0; i < size; i++) {
    uint8_t byte = i < RT_COMM_SIZE && i + 1 < size && !ended ? (uint8_t)name[i] : 0;
    ended |= byte == 0;
    out[i] = byte;
  }
}

RT_HELPER uint64_t __bpfaot_rt_get_current_comm(rt_env* env, void* to, uint64_t size) {
  (void)env;
  current_comm(to, size);
  return 0;
}

/* splitmix64 over a counter: no state is held between load and store, so a signal or another
 * thread in between gets another number, never the same one. */
RT_HELPER uint64_t __bpfaot_rt_get_prandom_u32(rt_env* env) {
  struct bpfaot_process* process = (struct bpfaot_process*)__bpfaot_rt.process;
  uint64_t fallback = (uint64_t)env;
  uint64_t x = rt_add(process ? &process->random : &fallback, 0x9e3779b97f4a7c15u);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)((x ^ (x >> 31)) >> 16);
}

/* Address of the probed function; 0 when there is none, as for a probe inside a function. */
RT_HELPER uint64_t __bpfaot_rt_get_func_ip(rt_env* env, void* ctx) {
  (void)ctx;
  return env->site ? env->site->func_ip : 0;
}

RT_HELPER uint64_t __bpfaot_rt_get_attach_cookie(rt_env* env, void* ctx) {
  (void)ctx;
  return env->site ? env->site->cookie : 0;
}

/* There is one implicit cgroup, which every observed task belongs to; a slot of the array is set
 * (non-zero) or not. Answers of the kernel: -E2BIG past the end, -EAGAIN for a slot without cgroup.
 */
RT_HELPER uint64_t __bpfaot_rt_current_task_under_cgroup(rt_env* env, rt_desc* map,
                                                         uint64_t index) {
  (void)env;
  struct rt_map m = rt_map_of(map);
  if ((uint32_t)index >= m.max_entries)
    return (uint64_t)-RT_E2BIG;
  return rt_load((const uint32_t*)(m.data + (uint64_t)(uint32_t)index * m.elem_size))
             ? 1
             : (uint64_t)-RT_EAGAIN;
}
