/* SPDX-License-Identifier: MIT
 *
 * Numeric iterators (bpf_for, bpf_repeat). The eight bytes of struct bpf_iter_num are the number
 * before the next and the first that is not reached, as in the kernel; both are 0 in one that has no
 * more.
 */
#include "minirt/helpers.h"
#include "minirt/rt.h"

struct numbers {
  int32_t current, end;
};

enum { kMostNumbers = 1 << 23 };

RT_HELPER uint64_t __bpfaot_rt_iter_num_new(rt_env* env, void* iterator, uint64_t first,
                                            uint64_t end) {
  struct numbers* it = iterator;
  int32_t from = (int32_t)first, to = (int32_t)end;
  (void)env;
  it->current = it->end = 0;
  if (from > to)
    return (uint64_t)-RT_EINVAL;
  if ((int64_t)to - from > kMostNumbers)
    return (uint64_t)-RT_E2BIG;
  it->current = (int32_t)((uint32_t)from - 1u);
  it->end = to;
  return 0;
}

RT_HELPER void* __bpfaot_rt_iter_num_next(rt_env* env, void* iterator) {
  struct numbers* it = iterator;
  int32_t next = (int32_t)((uint32_t)it->current + 1u);
  (void)env;
  if (next >= it->end) {
    it->current = it->end = 0;
    return NULL;
  }
  it->current = next;
  return &it->current;
}

RT_HELPER void __bpfaot_rt_iter_num_destroy(rt_env* env, void* iterator) {
  struct numbers* it = iterator;
  (void)env;
  it->current = it->end = 0;
}
