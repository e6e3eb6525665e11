/* SPDX-License-Identifier: MIT
 *
 * Maps from outside a program: the same code that runs inside images, compiled natively
 * (bpfaot_minirt_native) for the loader. C11 and C++20. Errors are negative errno values, as
 * bpf(2) would return them. All calls may run at the same time as programs of other processes.
 */
#pragma once

#include "bpfaot/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bpfaot_map_view {
  const struct bpfaot_map_header* header;
  void* data; /* the map's data in this process, 64-aligned */
};

/* Fills elem_size, data_size and aux from type, sizes, max_entries, map_flags and cpus (the number
 * of CPU slots; perf event arrays with max_entries 0 get that many). Answers as map creation in the
 * kernel does: -EINVAL, -E2BIG. data_size is a multiple of 4096; the
 * memory must start zeroed and may stay sparse. */
int bpfaot_map_layout(struct bpfaot_map_header* header);

/* Once, over zeroed memory and before anybody uses the map. */
void bpfaot_map_init(const struct bpfaot_map_view* map);

/* Address of the value, or null. `cpu` is a CPU slot (< header->cpus) and ignored for maps that are
 * not per CPU. The memory stays mapped but the key may be deleted at any time. */
void* bpfaot_map_lookup(const struct bpfaot_map_view* map, const void* key, uint32_t cpu);

/* In a program array a value is the number of a program plus one, in a map of maps that of a map. `value` has value_size bytes; for a per-CPU map one slot is written, and a new element of a hash
 * has zeros in the others. */
int bpfaot_map_update(const struct bpfaot_map_view* map, const void* key, const void* value,
                      uint64_t flags, uint32_t cpu);
int bpfaot_map_delete(const struct bpfaot_map_view* map, const void* key);

/* Queues and stacks, as the commands of bpf(2) without a key. Popping and peeking fill all of `value`,
 * with zeros when they fail; an update is a push as well. `index` counts from the value that would be
 * popped next. */
int bpfaot_map_push(const struct bpfaot_map_view* map, const void* value, uint64_t flags);
int bpfaot_map_pop(const struct bpfaot_map_view* map, void* value);
int bpfaot_map_peek(const struct bpfaot_map_view* map, void* value, uint64_t index);

/* A record for programs that drain a user ring buffer: -ENOSPC when it is full, -E2BIG when it never
 * fits. One producer at a time. */
int bpfaot_user_ring_push(const struct bpfaot_map_view* map, const void* record, uint64_t size);

/* Iteration as BPF_MAP_GET_NEXT_KEY: a null or unknown key gives the first one; -ENOENT at the
 * end. `next` has room for key_size bytes. */
int bpfaot_map_next_key(const struct bpfaot_map_view* map, const void* key_or_null, void* next);

/* Records of a ring buffer, perf event array or the printk ring, oldest first. One consumer at a
 * time (two would deliver records twice). `fn` returns 0 to go on; anything else stops after this
 * record. `record` is 8-aligned and valid during the call; other processes can write to it, so copy
 * what is checked. `cpu` is the CPU that wrote a perf record, else BPFAOT_NONE. `limit` 0 = no
 * limit. Returns the number of records delivered. */
typedef int (*bpfaot_record_fn)(void* arg, const void* record, uint32_t size, uint32_t cpu);
int bpfaot_ring_consume(const struct bpfaot_map_view* map, bpfaot_record_fn fn, void* arg,
                        uint32_t limit);

/* Records that were not written because the ring was full. */
uint64_t bpfaot_ring_lost(const struct bpfaot_map_view* map);

#ifdef __cplusplus
}
#endif
