/* SPDX-License-Identifier: MIT
 *
 * Helpers of keyed maps. With a constant descriptor the type tests and sizes fold, and an array
 * lookup becomes a compare and an add.
 */
#include "minirt/array.h"
#include "minirt/hash.h"
#include "minirt/helpers.h"

RT_HELPER void* __bpfaot_rt_map_lookup_elem(rt_env* env, rt_desc* map, const void* key) {
  struct rt_map m = rt_map_of(map);
  if (rt_is_array(m.type))
    return rt_array_lookup(m, key, env->cpu);
  if (rt_is_hash(m.type))
    return rt_hash_lookup(m, key, env->cpu, true);
  return NULL;
}

/* The slot may hold anything: it is read once, and what it names must be a map of the right shape. */
RT_HELPER rt_desc* __bpfaot_rt_map_lookup_map(rt_env* env, rt_desc* map, const void* key,
                                              rt_desc* maps, uint64_t count) {
  struct rt_map m = rt_map_of(map);
  const void* slot = m.type == RT_MAP_ARRAY_OF_MAPS  ? rt_array_lookup(m, key, 0)
                     : m.type == RT_MAP_HASH_OF_MAPS ? rt_hash_lookup(m, key, env->cpu, true)
                                                     : NULL;
  if (!slot)
    return NULL;
  uint32_t index = rt_load((const uint32_t*)slot) - 1;
  if (index >= count || maps[index].shape != map->shape)
    return NULL;
  return &maps[index];
}

RT_HELPER uint64_t __bpfaot_rt_map_update_elem(rt_env* env, rt_desc* map, const void* key,
                                               const void* value, uint64_t flags) {
  struct rt_map m = rt_map_of(map);
  if (rt_is_array(m.type))
    return (uint64_t)rt_array_update(m, key, value, flags, env->cpu);
  if (rt_is_hash(m.type)) {
    uint32_t tid = rt_owner(env);
    if ((flags == RT_BPF_ANY || flags == RT_BPF_EXIST) &&
        rt_likely(rt_hash_quick_overwrite(m, key, value, env->cpu, tid)))
      return 0;
    uint64_t who = (uint64_t)env->cpu << 32 | tid;
    return (uint64_t)(m.type == RT_MAP_HASH
                          ? rt_hash_update(m.header, m.data, key, value, flags, who)
                          : rt_hash_update_form(m.header, m.data, key, value, flags, who));
  }
  return (uint64_t)-RT_EOPNOTSUPP;
}

RT_HELPER uint64_t __bpfaot_rt_map_delete_elem(rt_env* env, rt_desc* map, const void* key) {
  (void)env;
  struct rt_map m = rt_map_of(map);
  if (rt_is_hash(m.type))
    return (uint64_t)rt_hash_delete(m.header, m.data, key);
  return rt_is_array(m.type) ? (uint64_t)-RT_EINVAL : (uint64_t)-RT_EOPNOTSUPP;
}

/* The value of another CPU slot, which its holder may be changing. */
RT_HELPER void* __bpfaot_rt_map_lookup_percpu_elem(rt_env* env, rt_desc* map, const void* key,
                                                   uint64_t cpu) {
  (void)env;
  struct rt_map m = rt_map_of(map);
  uint32_t slot = (uint32_t)cpu;
  if (slot >= m.header->cpus)
    return NULL;
  if (m.type == RT_MAP_PERCPU_ARRAY)
    return rt_array_lookup(m, key, slot);
  return rt_is_per_cpu_hash(m.type) ? rt_hash_lookup(m, key, slot, true) : NULL;
}

/* The index has 32 bits, whatever the register holds above them. */
RT_HELPER uint64_t __bpfaot_rt_tail_call(rt_env* env, void* ctx, rt_desc* map, uint64_t index) {
  (void)env, (void)ctx;
  struct rt_map m = rt_map_of(map);
  uint32_t slot = (uint32_t)index;
  if (slot >= m.max_entries)
    return 0;
  return rt_load((const uint32_t*)(m.data + (uint64_t)slot * m.elem_size));
}
