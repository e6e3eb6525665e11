/* SPDX-License-Identifier: MIT
 *
 * Two faces of one C source: an eBPF program, and native C that calls the same minirt inline.
 * A program is
 *
 *   PROGRAM { ... uses in->words, in->bytes ... return number; }
 *
 * and must give the same number on all sides. Only `in` is input, at constant offsets: the kernel
 * lets a syscall program read its context no other way. Helpers are called in PROGRAM itself, where
 * the environment is at hand.
 */
#pragma once

#ifdef __bpf__
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#else
#include "minirt/helpers.h"
#include "minirt/rt.h"

#include <linux/bpf.h>

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#endif

struct input {
  __u64 words[8];
  __u8 bytes[256] __attribute__((aligned(8)));
};

/* The words where they can be indexed, and bytes of the input on the stack. */
#define WORDS                                                                                      \
  __u64 words[8];                                                                                  \
  __builtin_memcpy(words, in->words, sizeof words)
#define BYTES(type, name, count)                                                                   \
  type name[count] __attribute__((aligned(8)));                                                    \
  __builtin_memcpy(name, in->bytes, sizeof name)

/* MAP(slot, name, type, max_entries, key type, value type); slots count from 0 in order. */
#ifdef __bpf__
#define MAP(slot, name, kind, entries, key_type, value_type)                                       \
  struct {                                                                                         \
    __uint(type, kind);                                                                            \
    __uint(max_entries, entries);                                                                  \
    __type(key, key_type);                                                                         \
    __type(value, value_type);                                                                     \
  } name SEC(".maps")
#define RING(slot, name, bytes)                                                                    \
  struct {                                                                                         \
    __uint(type, BPF_MAP_TYPE_RINGBUF);                                                            \
    __uint(max_entries, bytes);                                                                    \
  } name SEC(".maps")
#define LOOP_CALLBACK(name) static long name(__u32 index, void* context)
#define EACH_CALLBACK(name, key_type, value_type)                                                  \
  static long name(void* map, const key_type* key, value_type* value, void* context)
#define PROGRAM SEC("syscall") int program(struct input* in)
char LICENSE[] SEC("license") = "Dual MIT/GPL";
#else
/* What bpf-aotc makes of a map: aotc/module_lowering.cpp. The harness compares names and slots. */
#define DESCRIBE(slot, name, kind, entries, key_bytes, value_bytes)                                \
  __attribute__((visibility("default"))) const uint32_t bench_slot_##name = slot;                  \
  static const struct bpfaot_map_desc name = {                                                     \
      kind,                                                                                        \
      key_bytes,                                                                                   \
      value_bytes,                                                                                 \
      0,                                                                                           \
      0,                                                                                           \
      slot,                                                                                        \
      kind == BPF_MAP_TYPE_ARRAY || kind == BPF_MAP_TYPE_PERCPU_ARRAY ? entries : 0,               \
      0}
#define MAP(slot, name, kind, entries, key_type, value_type)                                       \
  DESCRIBE(slot, name, kind, entries, sizeof(key_type), sizeof(value_type))
#define RING(slot, name, bytes) DESCRIBE(slot, name, BPF_MAP_TYPE_RINGBUF, bytes, 0, 0)
#define HELPERS rt_env *env,
#define helpers env,
/* As bpf-aotc gives callbacks to minirt: minirt/helpers.h. */
#define LOOP_CALLBACK(name)                                                                        \
  static __always_inline long name(__u32 index, void* context);                                    \
  static uint64_t name##_callback(rt_env* env, uint64_t index, void* context, void* c, void* d) {  \
    (void)env, (void)c, (void)d;                                                                   \
    return (uint64_t)name((__u32)index, context);                                                  \
  }                                                                                                \
  static __always_inline long name(__u32 index, void* context)
#define EACH_CALLBACK(name, key_type, value_type)                                                  \
  static __always_inline long name(void* map, const key_type* key, value_type* value,              \
                                   void* context);                                                 \
  static uint64_t name##_callback(rt_env* env, uint64_t map, void* key, void* value,               \
                                  void* context) {                                                 \
    (void)env;                                                                                     \
    return (uint64_t)name((void*)map, key, value, context);                                        \
  }                                                                                                \
  static __always_inline long name(void* map, const key_type* key, value_type* value, void* context)
#define PROGRAM                                                                                    \
  static int program(rt_env* env, struct input* in);                                               \
  __attribute__((visibility("default"), aligned(64))) uint64_t bench_entry(void* ctx) {            \
    struct bpfaot_env env = {.ctx = ctx};                                                          \
    if (BENCH_FLAGS && !__bpfaot_rt_enter(&env, BENCH_FLAGS))                                      \
      return 0;                                                                                    \
    const uint64_t result = (uint64_t)(int64_t)program(&env, (struct input*)ctx);                  \
    if (BENCH_FLAGS)                                                                               \
      __bpfaot_rt_leave(&env, BENCH_FLAGS);                                                        \
    return result;                                                                                 \
  }                                                                                                \
  static int program(rt_env* env __attribute__((unused)), struct input* in)
#define bpf_map_lookup_elem(map, key) __bpfaot_rt_map_lookup_elem(env, map, key)
#define bpf_map_update_elem(map, key, value, flags)                                                \
  ((long)__bpfaot_rt_map_update_elem(env, map, key, value, flags))
#define bpf_map_delete_elem(map, key) ((long)__bpfaot_rt_map_delete_elem(env, map, key))
#define bpf_loop(count, callback, context, flags)                                                  \
  ((long)__bpfaot_rt_loop(env, count, callback##_callback, context, flags))
#define bpf_for_each_map_elem(map, callback, context, flags)                                       \
  ((long)__bpfaot_rt_for_each_map_elem(env, map, callback##_callback, context, flags))
#define bpf_ringbuf_reserve(map, size, flags) __bpfaot_rt_ringbuf_reserve(env, map, size, flags)
#define bpf_ringbuf_submit(record, flags) __bpfaot_rt_ringbuf_submit(env, record, flags)
#define bpf_ringbuf_output(map, from, size, flags)                                                 \
  ((long)__bpfaot_rt_ringbuf_output(env, map, from, size, flags))
#define bpf_probe_read_kernel(to, size, from)                                                      \
  ((long)__bpfaot_rt_probe_read_kernel(env, to, size, (uint64_t)(from)))
#endif
