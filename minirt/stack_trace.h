/* SPDX-License-Identifier: MIT
 *
 * Stack trace maps: layout and what is done to them from outside. See stack_trace.c.
 */
#pragma once

#include "minirt/pool.h"

enum {                        /* indexes into aux */
       RT_STACK_MASK = 0,     /* buckets - 1 */
       RT_STACK_BUCKETS = 1,  /* offset of the bucket words */
       RT_STACK_ELEMENTS = 2, /* offset of element 1 */
       RT_STACK_STRIDE = 3,   /* bytes of an element */
       RT_STACK_LINKS = 4,    /* offset of the pool's links */
};

enum { RT_STACK_MOST = 127 }; /* addresses of a stack: the kernel's default limit */

struct rt_stack_element {
  struct rt_pool_element pool; /* its place is its id */
  uint32_t hash;
  uint32_t count;  /* of addresses */
  uint64_t pcs[];  /* the rest is zero */
};

/* Addresses of the stack with this id, zeros behind them, or null. */
void* rt_stack_lookup(struct rt_map m, uint32_t id);
int rt_stack_delete(struct rt_map m, uint32_t id);
int rt_stack_next_id(struct rt_map m, const void* id_or_null, void* next);
