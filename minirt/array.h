/* SPDX-License-Identifier: MIT
 *
 * Array and per-CPU array. Layout of the data:
 *   array          value i at i * elem_size
 *   per-CPU array  value i of CPU slot c at c * aux[RT_PERCPU_STRIDE] + i * elem_size; a slot's
 *                  values are together and start on a cache line of their own
 * Results and their order are those of array_map_update_elem() and friends of the kernel.
 */
#pragma once

#include "minirt/rt.h"

enum { RT_PERCPU_STRIDE = 0 }; /* index into aux */

RT_INLINE bool rt_is_array(uint32_t type) {
  return type == RT_MAP_ARRAY || type == RT_MAP_PERCPU_ARRAY;
}

RT_INLINE void* rt_array_lookup(struct rt_map m, const void* key, uint32_t cpu) {
  uint32_t index = rt_load_u32(key);
  if (index >= m.min_entries && index >= m.max_entries)
    return NULL;
  uint8_t* base = m.data;
  if (m.type == RT_MAP_PERCPU_ARRAY)
    base += (uint64_t)cpu * m.header->aux[RT_PERCPU_STRIDE];
  return base + (uint64_t)index * m.elem_size;
}

RT_INLINE int64_t rt_array_update(struct rt_map m, const void* key, const void* value,
                                  uint64_t flags, uint32_t cpu) {
  if ((flags & ~(uint64_t)RT_BPF_F_LOCK) > RT_BPF_EXIST)
    return -RT_EINVAL;
  void* slot = rt_array_lookup(m, key, cpu);
  if (!slot)
    return -RT_E2BIG;
  if (flags & RT_BPF_NOEXIST)
    return -RT_EEXIST;
  if (flags & RT_BPF_F_LOCK)
    return -RT_EINVAL; /* needs a bpf_spin_lock in the value, which no program here can have */
  rt_copy_value(slot, value, m.value_size);
  return 0;
}
