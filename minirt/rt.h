/* SPDX-License-Identifier: MIT
 *
 * What all files of minirt share: attributes, atomics, kernel constants, the view of a map that
 * folds when its descriptor is constant, and who the current thread is. Not part of any interface.
 *
 * Every function here and in the rest of minirt is bounded, allocates nothing, touches neither
 * errno nor TLS nor floating point, and may be interrupted at any instruction by a signal handler
 * that enters the same code, by fork or by kill -9.
 */
#pragma once

#include "bpfaot/abi.h"
#include "rt_arch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RT_HELPER and RT_INLINE must fold into the program. RT_COLD and RT_SLOW must stay out of its way:
 * they, and what else is not inlined when bpf-aotc is built, are compiled once, for the lowest
 * processor of the machine, and cannot call helpers. */
#define RT_INLINE static inline __attribute__((always_inline))
#define RT_SLOW __attribute__((noinline)) RT_PRESERVE_MOST
#ifdef BPFAOT_MINIRT_BITCODE
#define RT_COLD __attribute__((noinline, cold, minsize)) RT_PRESERVE_MOST
#define RT_HELPER __attribute__((always_inline))
#else
#define RT_COLD __attribute__((noinline, cold)) RT_PRESERVE_MOST
#define RT_HELPER /* g++ and gcc cannot inline these across files anyway */
#endif
#define rt_likely(x) __builtin_expect(!!(x), 1)
#define rt_unlikely(x) __builtin_expect(!!(x), 0)

#define rt_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define rt_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rt_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define rt_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rt_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define rt_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* True when *p was `expected` and is `desired` now; full order on success. */
RT_INLINE bool rt_cas64(uint64_t* p, uint64_t expected, uint64_t desired) {
  return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_ACQUIRE);
}
RT_INLINE bool rt_cas32(uint32_t* p, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_ACQUIRE);
}

/* errno values are the same numbers on all machines Linux's generic table serves. */
enum {
  RT_EPERM = 1,
  RT_ENOENT = 2,
  RT_ESRCH = 3,
  RT_E2BIG = 7,
  RT_EAGAIN = 11,
  RT_ENOMEM = 12,
  RT_EACCES = 13,
  RT_EFAULT = 14,
  RT_EBUSY = 16,
  RT_EEXIST = 17,
  RT_EINVAL = 22,
  RT_ENOSPC = 28,
  RT_ERANGE = 34,
  RT_ENOSYS = 38,
  RT_ENODATA = 61,
  RT_EOPNOTSUPP = 95,
  RT_ENOTSUPP = 524, /* the kernel's own, not of errno.h */
};

enum { /* enum bpf_map_type, of which bpf/maps.def lists what exists here */
       RT_MAP_HASH = 1,
       RT_MAP_ARRAY = 2,
       RT_MAP_PROG_ARRAY = 3,
       RT_MAP_PERF_EVENT_ARRAY = 4,
       RT_MAP_PERCPU_HASH = 5,
       RT_MAP_PERCPU_ARRAY = 6,
       RT_MAP_STACK_TRACE = 7,
       RT_MAP_CGROUP_ARRAY = 8,
       RT_MAP_LRU_HASH = 9,
       RT_MAP_LRU_PERCPU_HASH = 10,
       RT_MAP_ARRAY_OF_MAPS = 12,
       RT_MAP_HASH_OF_MAPS = 13,
       RT_MAP_QUEUE = 22,
       RT_MAP_STACK = 23,
       RT_MAP_RINGBUF = 27,
       RT_MAP_USER_RINGBUF = 31,
};

enum { RT_BPF_ANY = 0, RT_BPF_NOEXIST = 1, RT_BPF_EXIST = 2, RT_BPF_F_LOCK = 4 };

extern struct bpfaot_rt __bpfaot_rt __attribute__((visibility("hidden")));

/* ---- maps ---- */

/* A map as code sees it: constants of the descriptor where the object gave them, the sealed header
 * otherwise. After inlining only the fields that are used cost anything. */
struct rt_map {
  const struct bpfaot_map_header* header;
  uint8_t* data;
  uint32_t type, key_size, value_size, max_entries, elem_size;
  uint32_t min_entries; /* an index below it needs no look at the header */
};

RT_INLINE uint32_t rt_round_up8(uint32_t n) {
  return (n + 7u) & ~7u;
}

/* `known` or, where that is 0, `found`. Both are read before: a choice folds while the helper is copied
 * into a program, and with it what depends on the map's type; a branch would only fold afterwards. */
RT_INLINE uint32_t rt_known_or(uint32_t known, uint32_t found) {
  return known ? known : found;
}

RT_INLINE struct rt_map rt_map_of(const struct bpfaot_map_desc* desc) {
  const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[desc->slot];
  const struct bpfaot_map_header* h = (const struct bpfaot_map_header*)slot->header;
  struct rt_map m;
  m.header = h;
  m.data = (uint8_t*)slot->data;
  m.type = rt_known_or(desc->type, h->type);
  m.key_size = rt_known_or(desc->key_size, h->key_size);
  m.value_size = rt_known_or(desc->value_size, h->value_size);
  m.max_entries = rt_known_or(desc->max_entries, h->max_entries);
  m.elem_size = rt_known_or(rt_round_up8(desc->value_size), h->elem_size);
  m.min_entries = desc->min_entries;
  return m;
}

RT_INLINE struct rt_map rt_map_of_header(const struct bpfaot_map_header* h, void* data) {
  struct rt_map m = {
      h, (uint8_t*)data, h->type, h->key_size, h->value_size, h->max_entries, h->elem_size, 0};
  return m;
}

RT_INLINE uint32_t rt_load_u32(const void* p) {
  uint32_t value;
  __builtin_memcpy(&value, p, 4);
  return value;
}

/* Copies a value into shared memory in words that nobody sees half written: 8 bytes at a time, `to`
 * is 8-aligned. The tail goes by bytes. */
RT_INLINE void rt_copy_value(uint8_t* to, const uint8_t* from, uint32_t size) {
  uint32_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, from + i, 8);
    rt_store((uint64_t*)(to + i), word);
  }
  if (i + 4 <= size) {
    rt_store((uint32_t*)(to + i), rt_load_u32(from + i));
    i += 4;
  }
  for (; i < size; i++)
    rt_store(to + i, from[i]);
}

/* ---- who we are ---- */

RT_INLINE uint64_t rt_fork_word(void) {
  const uint64_t* page = (const uint64_t*)__bpfaot_rt.fork_page;
  return page ? rt_load(page) : 0;
}

RT_INLINE uint32_t rt_gettid(void) {
  return (uint32_t)rt_syscall6(RT_NR_gettid, 0, 0, 0, 0, 0, 0);
}

/* True when no thread has this id any more, as far as the session can know. tkill with signal 0
 * sends nothing; a zombie still counts as living, which only delays recovery. */
RT_INLINE bool rt_thread_is_dead(uint32_t tid) {
  const struct bpfaot_session* session = (const struct bpfaot_session*)__bpfaot_rt.session;
  if (session && (rt_load(&session->flags) & BPFAOT_SESSION_MIXED_PIDS))
    return false;
  return tid == 0 || rt_syscall6(RT_NR_tkill, (long)tid, 0, 0, 0, 0, 0) == -RT_ESRCH;
}

/* The current thread, its ids valid; null when the process has no table or it is full. */
RT_SLOW struct bpfaot_thread* rt_current_thread(void);

/* Id of the current thread, for ownership marks. */
RT_INLINE uint32_t rt_owner(const struct bpfaot_env* env) {
  const struct bpfaot_thread* thread = env->thread ? env->thread : rt_current_thread();
  return thread ? thread->tid : rt_gettid();
}

uint32_t rt_cpu_number(void);
uint64_t rt_clock(uint32_t clock);
