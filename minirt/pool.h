/* SPDX-License-Identifier: MIT
 *
 * Pool of equal elements in shared memory, for maps whose structure can tell of any element whether
 * it is in place (queue.c, stack_trace.c). The hash map has one of its own, see hash.c.
 *
 * An element's state word is {version, kind}: FREE; TAKEN by a tid, who fills it and puts it in
 * place; LIVE. The version goes up when it becomes FREE. Nothing but the state counts; where to look
 * for a free element is a hint: a stack of freed ones, then those never used (so sparse memory stays
 * sparse), then `sweep`.
 *
 * What the owner of this pool promises: a LIVE element that is out of its place never comes back in
 * that life, and whoever took it out has copied what he needs before. So anybody may free it: the
 * one who took it out, or a sweep when he was killed before he could. A TAKEN element belongs to its
 * thread while that lives; afterwards its place decides.
 */
#pragma once

#include "minirt/rt.h"

struct rt_pool_head { /* zero is the pool whose elements are all free */
  uint64_t spare;     /* hint: stack of free elements, version << 32 | index */
  uint32_t used;      /* elements that were ever handed out: the first `used` */
  uint32_t full;      /* the last complete sweep met nothing but LIVE elements in place */
  uint32_t refused;   /* requests refused since */
  uint32_t reserved0;
  uint64_t reserved1[5];
};

struct rt_pool_element { /* 8-aligned; the content follows */
  uint64_t state;
  uint64_t place; /* where it is or will be, in the terms of the map */
};

enum { RT_POOL_FREE = 0, RT_POOL_LIVE = 1, RT_POOL_TAKEN = 1 << 30, RT_POOL_OWNER = (1 << 30) - 1 };

struct rt_pool {
  struct rt_pool_head* head;
  uint8_t* elements; /* from index 1 on */
  uint32_t* links;   /* of the stack of hints */
  uint64_t stride;
  uint32_t count;
};

/* Whether the element is in its place; true also when that cannot be told just now. */
typedef bool (*rt_pool_in_place)(struct rt_map m, uint32_t index);

RT_INLINE struct rt_pool_element* rt_pool_at(struct rt_pool p, uint32_t index) {
  return (struct rt_pool_element*)(p.elements + (index - 1) * p.stride);
}

RT_INLINE bool rt_pool_valid(struct rt_pool p, uint32_t index) {
  return index - 1 < p.count;
}

RT_INLINE uint32_t rt_pool_kind(uint64_t state) {
  return (uint32_t)state;
}

RT_INLINE void rt_pool_push_spare(struct rt_pool p, uint32_t index) {
  for (uint32_t i = 0; i < 8; i++) {
    uint64_t top = rt_load(&p.head->spare);
    rt_store(&p.links[index - 1], (uint32_t)top);
    if (rt_cas64(&p.head->spare, top, ((top >> 32) + 1) << 32 | index))
      return;
  }
}

/* Frees the element if it still is in the life that `seen` was read of. */
RT_INLINE void rt_pool_release(struct rt_pool p, uint32_t index, uint64_t seen) {
  struct rt_pool_element* e = rt_pool_at(p, index);
  for (uint32_t i = 0; i < 4; i++) { /* it changes at most once besides: TAKEN to LIVE */
    uint64_t state = rt_load(&e->state);
    if (state >> 32 != seen >> 32 || rt_pool_kind(state) == RT_POOL_FREE)
      return;
    if (rt_cas64(&e->state, state, ((state >> 32) + 1) << 32)) {
      rt_pool_push_spare(p, index);
      if (__atomic_load_n(&p.head->full, __ATOMIC_SEQ_CST))
        rt_store(&p.head->full, 0u);
      return;
    }
  }
}

RT_INLINE void rt_pool_settle(struct rt_pool p, uint32_t index, uint64_t taken) {
  rt_cas64(&rt_pool_at(p, index)->state, taken, taken >> 32 << 32 | RT_POOL_LIVE);
}

/* The fence: who sees a byte of what we write now also sees, after an acquire fence of his own,
 * everything that told us that the element was out of use. Readers rely on it when they check after
 * reading that an element is still in place. */
RT_INLINE bool rt_pool_claim(struct rt_pool p, uint32_t index, uint32_t tid, uint64_t* state) {
  struct rt_pool_element* e = rt_pool_at(p, index);
  uint64_t found = rt_load_acquire(&e->state);
  if (rt_pool_kind(found) != RT_POOL_FREE)
    return false;
  *state = found | RT_POOL_TAKEN | (tid & RT_POOL_OWNER);
  if (!rt_cas64(&e->state, found, *state))
    return false;
  __atomic_thread_fence(__ATOMIC_RELEASE);
  return true;
}

/* Looks at all elements: takes the first free one, keeps some more as spare, frees what the dead
 * left. A sweep that could take nothing is not repeated for the next 63 requests, unless something
 * was freed. */
RT_INLINE uint32_t rt_pool_sweep(struct rt_pool p, struct rt_map m, uint32_t tid, uint64_t* state,
                                 rt_pool_in_place in_place) {
  if (rt_load(&p.head->full) && (rt_add(&p.head->refused, 1) & 63) != 63)
    return 0;
  rt_store(&p.head->full, 1u); /* before the states are read: who frees one later clears it */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  uint64_t top = rt_load(&p.head->spare);
  rt_cas64(&p.head->spare, top, ((top >> 32) + 1) << 32);
  uint32_t mine = 0, spare = 0;
  bool only_live = true;
  for (uint32_t index = 1; index <= p.count && spare < 64; index++) {
    struct rt_pool_element* e = rt_pool_at(p, index);
    uint64_t seen = rt_load_acquire(&e->state);
    uint32_t kind = rt_pool_kind(seen);
    if (kind & RT_POOL_TAKEN) {
      only_live = false;
      if (!rt_thread_is_dead(kind & RT_POOL_OWNER))
        continue;
    }
    if (kind != RT_POOL_FREE) {
      if (in_place(m, index)) {
        if (kind & RT_POOL_TAKEN)
          rt_pool_settle(p, index, seen);
        continue;
      }
      if (!rt_cas64(&e->state, seen, ((seen >> 32) + 1) << 32))
        continue;
    }
    only_live = false;
    if (!mine) {
      mine = rt_pool_claim(p, index, tid, state) ? index : 0;
    } else {
      rt_pool_push_spare(p, index);
      spare++;
    }
  }
  if (mine || !only_live)
    rt_store(&p.head->full, 0u);
  return mine;
}

/* Index of an element that is TAKEN by us, or 0. */
RT_INLINE uint32_t rt_pool_allocate(struct rt_pool p, struct rt_map m, uint32_t tid,
                                    uint64_t* state, rt_pool_in_place in_place) {
  for (uint32_t i = 0; i < 8; i++) {
    uint64_t top = rt_load_acquire(&p.head->spare);
    uint32_t index = (uint32_t)top;
    if (!rt_pool_valid(p, index))
      break;
    uint32_t below = rt_load(&p.links[index - 1]);
    if (rt_cas64(&p.head->spare, top, ((top >> 32) + 1) << 32 | below) &&
        rt_pool_claim(p, index, tid, state))
      return index;
  }
  for (uint32_t i = 0; i < 64 && rt_load(&p.head->used) < p.count; i++) {
    uint32_t index = rt_add(&p.head->used, 1) + 1;
    if (rt_pool_valid(p, index) && rt_pool_claim(p, index, tid, state))
      return index;
  }
  return rt_pool_sweep(p, m, tid, state, in_place);
}
