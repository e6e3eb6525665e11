/* SPDX-License-Identifier: MIT
 *
 * Dynptrs: a piece of memory whose bounds are known at run time only. They lie in the stack of the
 * program, where nothing but these functions touches them (verifier/typestate.h), so what is read
 * from them is trusted.
 */
#include "minirt/dynptr.h"
#include "minirt/helpers.h"
#include "minirt/rt.h"

#define DYNPTR_READ_ONLY (UINT32_C(1) << 31)

RT_INLINE uint32_t dynptr_bytes(const struct rt_dynptr* d) {
  return d->size & RT_DYNPTR_MOST;
}

RT_INLINE bool dynptr_has(const struct rt_dynptr* d, uint32_t offset, uint32_t size) {
  uint32_t bytes = dynptr_bytes(d);
  return size <= bytes && offset <= bytes - size;
}

RT_INLINE void dynptr_clear(struct rt_dynptr* d) {
  d->data = NULL;
  d->size = d->offset = 0;
}

RT_INLINE void dynptr_make(struct rt_dynptr* d, void* data, uint32_t size) {
  d->data = data;
  d->size = size;
  d->offset = 0;
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_from_mem(rt_env* env, void* data, uint64_t size,
                                               uint64_t flags, void* dynptr) {
  (void)env;
  dynptr_clear(dynptr);
  if ((uint32_t)size > RT_DYNPTR_MOST)
    return (uint64_t)-RT_E2BIG;
  if (flags)
    return (uint64_t)-RT_EINVAL;
  dynptr_make(dynptr, data, (uint32_t)size);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_ringbuf_reserve_dynptr(rt_env* env, rt_desc* map, uint64_t size,
                                                      uint64_t flags, void* dynptr) {
  void* record;
  dynptr_clear(dynptr);
  if (flags)
    return (uint64_t)-RT_EINVAL;
  if ((uint32_t)size > RT_DYNPTR_MOST)
    return (uint64_t)-RT_E2BIG;
  record = __bpfaot_rt_ringbuf_reserve(env, map, (uint32_t)size, 0);
  if (!record)
    return (uint64_t)-RT_EINVAL;
  dynptr_make(dynptr, record, (uint32_t)size);
  return 0;
}

RT_HELPER void __bpfaot_rt_ringbuf_submit_dynptr(rt_env* env, void* dynptr, uint64_t flags) {
  struct rt_dynptr* d = dynptr;
  if (d->data)
    __bpfaot_rt_ringbuf_submit(env, d->data, flags);
  dynptr_clear(d);
}

RT_HELPER void __bpfaot_rt_ringbuf_discard_dynptr(rt_env* env, void* dynptr, uint64_t flags) {
  struct rt_dynptr* d = dynptr;
  if (d->data)
    __bpfaot_rt_ringbuf_discard(env, d->data, flags);
  dynptr_clear(d);
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_read(rt_env* env, void* to, uint64_t size, const void* dynptr,
                                           uint64_t offset, uint64_t flags) {
  const struct rt_dynptr* d = dynptr;
  (void)env;
  if (!d->data || flags)
    return (uint64_t)-RT_EINVAL;
  if (!dynptr_has(d, (uint32_t)offset, (uint32_t)size))
    return (uint64_t)-RT_E2BIG;
  __builtin_memmove(to, d->data + d->offset + (uint32_t)offset, (uint32_t)size);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_write(rt_env* env, const void* dynptr, uint64_t offset,
                                            const void* from, uint64_t size, uint64_t flags) {
  const struct rt_dynptr* d = dynptr;
  (void)env;
  if (!d->data || (d->size & DYNPTR_READ_ONLY))
    return (uint64_t)-RT_EINVAL;
  if (!dynptr_has(d, (uint32_t)offset, (uint32_t)size))
    return (uint64_t)-RT_E2BIG;
  if (flags)
    return (uint64_t)-RT_EINVAL;
  __builtin_memmove(d->data + d->offset + (uint32_t)offset, from, (uint32_t)size);
  return 0;
}

RT_INLINE void* dynptr_piece(const struct rt_dynptr* d, uint32_t offset, uint32_t size, bool writes) {
  if (!d->data || !dynptr_has(d, offset, size) || (writes && (d->size & DYNPTR_READ_ONLY)))
    return NULL;
  return d->data + d->offset + offset;
}

RT_HELPER void* __bpfaot_rt_dynptr_data(rt_env* env, const void* dynptr, uint64_t offset,
                                        uint64_t size) {
  (void)env;
  return dynptr_piece(dynptr, (uint32_t)offset, (uint32_t)size, true);
}

/* The buffer is for memory that is in several pieces, which none here is. */
RT_HELPER void* __bpfaot_rt_dynptr_slice(rt_env* env, const void* dynptr, uint64_t offset,
                                         void* buffer, uint64_t size) {
  (void)env;
  (void)buffer;
  return dynptr_piece(dynptr, (uint32_t)offset, (uint32_t)size, false);
}

RT_HELPER void* __bpfaot_rt_dynptr_slice_rdwr(rt_env* env, const void* dynptr, uint64_t offset,
                                              void* buffer, uint64_t size) {
  (void)env;
  (void)buffer;
  return dynptr_piece(dynptr, (uint32_t)offset, (uint32_t)size, true);
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_size(rt_env* env, const void* dynptr) {
  const struct rt_dynptr* d = dynptr;
  (void)env;
  return d->data ? dynptr_bytes(d) : (uint32_t)-RT_EINVAL;
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_is_null(rt_env* env, const void* dynptr) {
  const struct rt_dynptr* d = dynptr;
  (void)env;
  return !d->data;
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_is_rdonly(rt_env* env, const void* dynptr) {
  const struct rt_dynptr* d = dynptr;
  (void)env;
  return d->data && (d->size & DYNPTR_READ_ONLY);
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_adjust(rt_env* env, void* dynptr, uint64_t begin,
                                             uint64_t end) {
  struct rt_dynptr* d = dynptr;
  uint32_t from = (uint32_t)begin, to = (uint32_t)end;
  (void)env;
  if (!d->data || from > to)
    return (uint64_t)-RT_EINVAL;
  if (from > dynptr_bytes(d) || to > dynptr_bytes(d))
    return (uint64_t)-RT_ERANGE;
  d->offset += from;
  d->size = (d->size & DYNPTR_READ_ONLY) | (to - from);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_dynptr_clone(rt_env* env, const void* dynptr, void* clone) {
  struct rt_dynptr copy; /* the clone may overlie half of it, where its members are of other types */
  (void)env;
  __builtin_memcpy(&copy, dynptr, sizeof copy);
  __builtin_memcpy(clone, &copy, sizeof copy);
  return copy.data ? 0 : (uint64_t)-RT_EINVAL;
}
