/* SPDX-License-Identifier: MIT
 *
 * Queue and stack maps: layout and operations. How they work is explained at the top of queue.c.
 */
#pragma once

#include "minirt/pool.h"

enum {                         /* indexes into aux */
       RT_QUEUE_MASK = 0,      /* slot words - 1 */
       RT_QUEUE_RECORDS = 1,   /* offset of the operation records */
       RT_QUEUE_SLOTS = 2,     /* offset of the slot words */
       RT_QUEUE_ELEMENTS = 3,  /* offset of element 1 */
       RT_QUEUE_STRIDE = 4,    /* bytes of an element */
       RT_QUEUE_LINKS = 5,     /* offset of the pool's links */
};

/* Operations that may be under way at one time; each can hold one element that is neither free nor
 * in the map. */
enum { RT_QUEUE_OPERATIONS = 256 };

struct rt_queue_head { /* at the start of the data; zero is the empty map */
  uint64_t root;       /* version << 16 | record that describes the map */
  uint64_t reserved[7];
  struct rt_pool_head pool;
};

struct rt_queue_record { /* 0 is the empty map and never written */
  uint64_t owner;        /* version << 32 | tid of who prepares it, 0 = nobody */
  uint64_t first;        /* position of the oldest value */
  uint64_t count;
  uint64_t element;  /* belongs into the slot of the newest value; 0 = is there already */
  uint64_t expected; /* the slot word that it replaces */
  uint64_t reserved[3];
};

RT_INLINE bool rt_is_queue(uint32_t type) {
  return type == RT_MAP_QUEUE || type == RT_MAP_STACK;
}

RT_SLOW int64_t rt_queue_push(const struct bpfaot_map_header* header, void* data, const void* value,
                              uint64_t flags, uint32_t tid);
RT_SLOW int64_t rt_queue_pop(const struct bpfaot_map_header* header, void* data, void* value,
                             uint32_t tid);
/* The value that would be popped after `index` others. */
RT_SLOW int64_t rt_queue_peek(const struct bpfaot_map_header* header, void* data, void* value,
                              uint64_t index);
