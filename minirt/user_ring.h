/* SPDX-License-Identifier: MIT
 *
 * User ring buffers: records from outside to programs, the other way round than ring buffers. One
 * producer, the loader; one consumer at a time, a program that drains. Design in user_ring.c.
 */
#pragma once

#include "bpfaot/abi.h"

#include <stdint.h>

enum {                         /* indexes into aux */
       RT_USER_RING_SIZE = 0,  /* bytes, a power of two */
       RT_USER_RING_DATA = 1,  /* offset of the record bytes; 2 * size of them */
       RT_USER_RING_POSITIONS = 4096, /* positions are in pages of their own, as in the kernel */
};

struct rt_user_ring_head { /* at the start of the data; zero is the empty ring */
  uint64_t consumed;
  uint64_t reserved0[7];
  uint32_t drains; /* thread that drains, 0 = none */
  uint32_t reserved1[15];
  uint8_t reserved2[RT_USER_RING_POSITIONS - 128];
  uint64_t produced;
};

/* Adds a record: 0, -E2BIG (never fits), -ENOSPC (not now), -EINVAL (the ring makes no sense). One
 * producer at a time. */
int64_t rt_user_ring_push(const struct bpfaot_map_header* header, void* data, const void* bytes,
                          uint64_t size);
