/* SPDX-License-Identifier: MIT
 *
 * Helpers that call functions of the program. Everything here inlines, so that a callback that is
 * known when the program is compiled is called directly, or becomes the body of the loop.
 */
#include "minirt/array.h"
#include "minirt/hash.h"
#include "minirt/helpers.h"

enum { kMostLoops = 1 << 23, kKeyWords = 64 };

RT_HELPER uint64_t __bpfaot_rt_loop(rt_env* env, uint64_t count, rt_callback* callback, void* ctx,
                                    uint64_t flags) {
  uint32_t loops = (uint32_t)count;
  if (flags)
    return (uint64_t)-RT_EINVAL;
  if (loops > kMostLoops)
    return (uint64_t)-RT_E2BIG;
  for (uint32_t i = 0; i < loops; i++)
    if (callback(env, i, ctx, NULL, NULL))
      return (uint64_t)i + 1;
  return loops;
}

/* An element that is deleted meanwhile may be given to another key before or while the callback looks
 * at the value, as in the kernel; the key is a copy and stays. Elements that are added meanwhile are
 * seen or not, none is seen twice. */
RT_HELPER uint64_t __bpfaot_rt_for_each_map_elem(rt_env* env, rt_desc* map, rt_callback* callback,
                                                 void* ctx, uint64_t flags) {
  struct rt_map m = rt_map_of(map);
  uint64_t seen = 0;
  if (flags)
    return (uint64_t)-RT_EINVAL;
  if (rt_is_array(m.type)) {
    for (uint32_t i = 0; i < m.max_entries; i++) {
      _Alignas(8) uint32_t key = i; /* as keys of all maps are */
      void* value = rt_array_lookup(m, &key, env->cpu);
      seen++;
      if (!value || callback(env, (uint64_t)map, &key, value, ctx))
        break;
    }
    return seen;
  }
  if (!rt_is_hash(m.type))
    return (uint64_t)-RT_EINVAL;
  uint64_t key[kKeyWords];
  for (uint32_t index = 0; (index = rt_hash_next_live(m.header, m.data, index, key)) != 0;) {
    seen++;
    if (callback(env, (uint64_t)map, key, rt_hash_value(m, index, env->cpu), ctx))
      break;
  }
  return seen;
}
