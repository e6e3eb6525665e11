/* SPDX-License-Identifier: MIT
 *
 * Rings for records: ring buffer maps, perf event arrays (one ring for all CPUs, in the order of
 * reservation) and the printk ring. Design and arguments are in ring.c.
 */
#pragma once

#include "minirt/rt.h"

enum {                    /* indexes into aux */
       RT_RING_SIZE = 0,  /* bytes, a power of two */
       RT_RING_SLOTS = 1, /* offset of the slot words */
       RT_RING_DATA = 2,  /* offset of the record bytes; 2 * size of them */
};

struct rt_ring_head { /* at the start of the data; zero is the empty ring */
  uint64_t produced;  /* position after the last reserved record */
  uint64_t reserved0[7];
  uint64_t consumed;
  uint64_t reserved1[7];
  uint64_t lost; /* reservations refused for lack of room */
  uint64_t reserved2[7];
};

struct rt_ring_record { /* before the payload */
  uint32_t size;
  uint32_t tag; /* ring buffers: map index, a hint for submit; perf event arrays: CPU */
};

/* The largest record, as in the kernel: the position word of a slot has room for 1 GiB rings. */
enum { RT_RING_MIN = 4096, RT_RING_MAX = 1 << 30, RT_RING_GRANULE = 16 };

/* Payload of a new record, or null: too large, or the ring is full (which is counted as lost). */
RT_SLOW void* rt_ring_reserve(const struct bpfaot_map_header* header, void* data, uint64_t size,
                              uint32_t tag, uint32_t tid);
/* `record` is what rt_ring_reserve of this ring returned, not yet finished. */
RT_SLOW void rt_ring_finish(const struct bpfaot_map_header* header, void* data, void* record,
                            bool discard);
