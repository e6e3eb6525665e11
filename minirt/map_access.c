/* SPDX-License-Identifier: MIT
 *
 * Maps from outside: layout of each type, and the calls of map_access.h on top of the code that
 * programs run. Native only.
 */
#include "minirt/map_access.h"
#include "minirt/array.h"
#include "minirt/hash.h"
#include "minirt/queue.h"
#include "minirt/ring.h"
#include "minirt/stack_trace.h"
#include "minirt/user_ring.h"

enum { /* map_flags of BPF_MAP_CREATE */
       kNoPrealloc = 1u << 0,
       kNoCommonLru = 1u << 1,
       kNumaNode = 1u << 2,
       kReadOnly = 1u << 3,
       kWriteOnly = 1u << 4,
       kZeroSeed = 1u << 6,
       kReadOnlyProg = 1u << 7,
       kWriteOnlyProg = 1u << 8,
       kMmapable = 1u << 10,
       kPreserveElems = 1u << 11,
       kAccess = kNumaNode | kReadOnly | kWriteOnly | kReadOnlyProg | kWriteOnlyProg,
};
enum { kPage = 4096, kMaxKey = 512, kMaxValue = 1 << 29, kMaxPerCpuValue = 32 << 10 };
#define kMaxData ((uint64_t)1 << 40)

static uint64_t round_up(uint64_t n, uint64_t to) {
  return (n + to - 1) / to * to;
}

static int layout_array(struct bpfaot_map_header* h) {
  bool per_cpu = h->type == RT_MAP_PERCPU_ARRAY;
  uint32_t allowed = per_cpu ? kAccess & ~(uint32_t)kNumaNode : kAccess | (uint32_t)kMmapable;
  if (h->key_size != 4 || !h->value_size || !h->max_entries || (h->map_flags & ~allowed))
    return -RT_EINVAL;
  if (h->value_size > (per_cpu ? kMaxPerCpuValue : kMaxValue))
    return -RT_E2BIG;
  uint64_t stride = round_up((uint64_t)h->max_entries * h->elem_size, 64);
  h->aux[RT_PERCPU_STRIDE] = stride;
  h->data_size = per_cpu ? stride * h->cpus : stride;
  return per_cpu && !h->cpus ? -RT_EINVAL : 0;
}

/* In the order in which the kernel looks, which decides the error. */
static int check_hash(const struct bpfaot_map_header* h) {
  bool per_cpu = rt_is_per_cpu_hash(h->type), lru = rt_is_lru(h->type);
  if (h->map_flags & ~(kAccess | kNoPrealloc | kNoCommonLru | kZeroSeed))
    return -RT_EINVAL;
  if (!lru && (h->map_flags & kNoCommonLru))
    return -RT_EINVAL;
  if (lru && (h->map_flags & kNoPrealloc))
    return -RT_ENOTSUPP;
  if ((h->map_flags & kNumaNode) && (per_cpu || (h->map_flags & kNoCommonLru)))
    return -RT_EINVAL;
  if (!h->key_size || !h->value_size || !h->max_entries)
    return -RT_EINVAL;
  if (h->type == RT_MAP_HASH_OF_MAPS && h->value_size != sizeof(uint32_t))
    return -RT_EINVAL;
  if (h->key_size > kMaxKey || h->value_size > (per_cpu ? kMaxPerCpuValue : kMaxValue) ||
      h->max_entries > 1u << 30)
    return -RT_E2BIG;
  return per_cpu && !h->cpus ? -RT_EINVAL : 0;
}

static int layout_hash(struct bpfaot_map_header* h) {
  int result = check_hash(h);
  if (result)
    return result;
  bool per_cpu = rt_is_per_cpu_hash(h->type);
  uint64_t buckets = 1;
  while (buckets < h->max_entries)
    buckets *= 2;
  uint64_t stride = sizeof(struct rt_hash_element) + rt_round_up8(h->key_size);
  h->aux[RT_HASH_VALUE] = stride;
  if (!per_cpu)
    stride += h->elem_size;
  h->aux[RT_HASH_MASK] = buckets - 1;
  h->aux[RT_HASH_BUCKETS] = sizeof(struct rt_hash_head);
  h->aux[RT_HASH_ELEMENTS] = round_up(sizeof(struct rt_hash_head) + 8 * buckets, 64);
  h->aux[RT_HASH_STRIDE] = stride;
  h->aux[RT_HASH_SPARES] = h->aux[RT_HASH_ELEMENTS] + stride * h->max_entries;
  h->data_size = h->aux[RT_HASH_SPARES] + 4 * (uint64_t)h->max_entries;
  if (rt_is_lru(h->type))
    h->data_size += h->max_entries;
  if (per_cpu) {
    h->aux[RT_HASH_VALUE] = round_up(h->data_size, 64);
    h->data_size = h->aux[RT_HASH_VALUE] + h->cpus * rt_hash_cpu_stride(rt_map_of_header(h, NULL));
  }
  return 0;
}

static int layout_queue(struct bpfaot_map_header* h) {
  if (h->key_size || !h->value_size || !h->max_entries || (h->map_flags & ~(uint32_t)kAccess))
    return -RT_EINVAL;
  if (h->value_size > kMaxValue || h->max_entries > 1u << 30)
    return -RT_E2BIG;
  uint64_t slots = 1, elements = (uint64_t)h->max_entries + RT_QUEUE_OPERATIONS;
  while (slots < h->max_entries)
    slots *= 2;
  uint64_t records = sizeof(struct rt_queue_record) * (RT_QUEUE_OPERATIONS + 1);
  h->aux[RT_QUEUE_MASK] = slots - 1;
  h->aux[RT_QUEUE_RECORDS] = round_up(sizeof(struct rt_queue_head), 64);
  h->aux[RT_QUEUE_SLOTS] = h->aux[RT_QUEUE_RECORDS] + records;
  h->aux[RT_QUEUE_ELEMENTS] = h->aux[RT_QUEUE_SLOTS] + round_up(8 * slots, 64);
  h->aux[RT_QUEUE_STRIDE] = sizeof(struct rt_pool_element) + h->elem_size;
  h->aux[RT_QUEUE_LINKS] = h->aux[RT_QUEUE_ELEMENTS] + h->aux[RT_QUEUE_STRIDE] * elements;
  h->data_size = h->aux[RT_QUEUE_LINKS] + 4 * elements;
  return 0;
}

static int layout_stack_trace(struct bpfaot_map_header* h) {
  /* BPF_F_STACK_BUILD_ID, which the kernel allows, is among those refused. */
  if (h->map_flags & ~(uint32_t)(kNumaNode | kReadOnly | kWriteOnly))
    return -RT_EINVAL;
  if (!h->max_entries || h->key_size != 4 || h->value_size < 8 || h->value_size % 8 ||
      h->value_size / 8 > RT_STACK_MOST)
    return -RT_EINVAL;
  if (h->max_entries > 1u << 30)
    return -RT_E2BIG;
  uint64_t buckets = 1;
  while (buckets < h->max_entries)
    buckets *= 2;
  h->aux[RT_STACK_MASK] = buckets - 1;
  h->aux[RT_STACK_BUCKETS] = sizeof(struct rt_pool_head);
  h->aux[RT_STACK_ELEMENTS] = round_up(sizeof(struct rt_pool_head) + 8 * buckets, 64);
  h->aux[RT_STACK_STRIDE] = sizeof(struct rt_stack_element) + h->value_size;
  h->aux[RT_STACK_LINKS] =
      h->aux[RT_STACK_ELEMENTS] + h->aux[RT_STACK_STRIDE] * (uint64_t)h->max_entries;
  h->data_size = h->aux[RT_STACK_LINKS] + 4 * (uint64_t)h->max_entries;
  return 0;
}

static void layout_ring(struct bpfaot_map_header* h, uint64_t size) {
  h->aux[RT_RING_SIZE] = size;
  h->aux[RT_RING_SLOTS] = sizeof(struct rt_ring_head);
  h->aux[RT_RING_DATA] = round_up(sizeof(struct rt_ring_head) + size / RT_RING_GRANULE * 8, kPage);
  h->data_size = h->aux[RT_RING_DATA] + 2 * size;
}

static int layout_ringbuf(struct bpfaot_map_header* h) {
  uint32_t size = h->max_entries;
  if (h->key_size || h->value_size || (h->map_flags & ~(uint32_t)kNumaNode) || size < RT_RING_MIN ||
      (size & (size - 1)))
    return -RT_EINVAL;
  if (size > RT_RING_MAX)
    return -RT_E2BIG;
  layout_ring(h, size);
  return 0;
}

static int layout_user_ring(struct bpfaot_map_header* h) {
  uint32_t size = h->max_entries;
  if (h->key_size || h->value_size || (h->map_flags & ~(uint32_t)kNumaNode) || size < kPage ||
      (size & (size - 1)))
    return -RT_EINVAL;
  if (size > RT_RING_MAX)
    return -RT_E2BIG;
  h->aux[RT_USER_RING_SIZE] = size;
  h->aux[RT_USER_RING_DATA] = round_up(sizeof(struct rt_user_ring_head), kPage);
  h->data_size = h->aux[RT_USER_RING_DATA] + 2 * (uint64_t)size;
  return 0;
}

/* The kernel has a buffer per CPU whose size the reader chooses; here it is one of this size. */
enum { kPerfRing = 1 << 20 };

static int layout_file_array(struct bpfaot_map_header* h) {
  bool perf = h->type == RT_MAP_PERF_EVENT_ARRAY;
  if (perf && !h->max_entries)
    h->max_entries = h->cpus;
  uint32_t allowed = kNumaNode | kReadOnly | kWriteOnly | (perf ? (uint32_t)kPreserveElems : 0);
  if (h->key_size != 4 || h->value_size != 4 || !h->max_entries || (h->map_flags & ~allowed))
    return -RT_EINVAL;
  if (perf)
    layout_ring(h, kPerfRing);
  else
    h->data_size = (uint64_t)h->max_entries * h->elem_size;
  return 0;
}

/* Arrays of 32-bit slots that stand for objects of other kinds; 0 is none. */
static bool is_slot_array(uint32_t type) {
  return type == RT_MAP_CGROUP_ARRAY || type == RT_MAP_PROG_ARRAY || type == RT_MAP_ARRAY_OF_MAPS;
}

int bpfaot_map_layout(struct bpfaot_map_header* h) {
  int result = -RT_EINVAL;
  for (uint32_t i = 0; i < sizeof h->aux / sizeof h->aux[0]; i++)
    h->aux[i] = 0;
  h->data_size = 0;
  if (h->value_size > kMaxValue)
    return -RT_E2BIG;
  h->elem_size = rt_round_up8(h->value_size);
  if (rt_is_array(h->type))
    result = layout_array(h);
  else if (rt_is_hash(h->type))
    result = layout_hash(h);
  else if (rt_is_queue(h->type))
    result = layout_queue(h);
  else if (h->type == RT_MAP_STACK_TRACE)
    result = layout_stack_trace(h);
  else if (h->type == RT_MAP_RINGBUF)
    result = layout_ringbuf(h);
  else if (h->type == RT_MAP_USER_RINGBUF)
    result = layout_user_ring(h);
  else if (h->type == RT_MAP_PERF_EVENT_ARRAY || is_slot_array(h->type))
    result = layout_file_array(h);
  if (result)
    return result;
  if (h->data_size > kMaxData)
    return -RT_E2BIG;
  h->data_size = round_up(h->data_size, kPage);
  return 0;
}

/* Zero is the empty state of every type. */
void bpfaot_map_init(const struct bpfaot_map_view* map) {
  (void)map;
}

static uint32_t* object_slot(struct rt_map m, const void* key) {
  uint32_t index = rt_load_u32(key);
  return index < m.max_entries ? (uint32_t*)(m.data + (uint64_t)index * m.elem_size) : NULL;
}

static struct rt_map rt_map_of_view(const struct bpfaot_map_view* view) {
  return rt_map_of_header(view->header, view->data);
}

static bool is_other_cpu(struct rt_map m, uint32_t cpu) {
  return (m.type == RT_MAP_PERCPU_ARRAY || rt_is_per_cpu_hash(m.type)) && cpu >= m.header->cpus;
}

void* bpfaot_map_lookup(const struct bpfaot_map_view* map, const void* key, uint32_t cpu) {
  struct rt_map m = rt_map_of_view(map);
  if (is_other_cpu(m, cpu))
    return NULL;
  if (rt_is_array(m.type))
    return rt_array_lookup(m, key, cpu);
  if (rt_is_hash(m.type))
    return rt_hash_lookup(m, key, cpu, false);
  if (m.type == RT_MAP_STACK_TRACE)
    return rt_stack_lookup(m, rt_load_u32(key));
  if (m.type == RT_MAP_PROG_ARRAY || m.type == RT_MAP_ARRAY_OF_MAPS) {
    uint32_t* slot = object_slot(m, key);
    return slot && rt_load(slot) ? slot : NULL;
  }
  return NULL;
}

int bpfaot_map_update(const struct bpfaot_map_view* map, const void* key, const void* value,
                      uint64_t flags, uint32_t cpu) {
  struct rt_map m = rt_map_of_view(map);
  if (is_other_cpu(m, cpu))
    return -RT_E2BIG;
  if (rt_is_array(m.type))
    return (int)rt_array_update(m, key, value, flags, cpu);
  if (rt_is_hash(m.type)) {
    uint32_t tid = rt_gettid();
    if (flags != RT_BPF_NOEXIST && flags <= RT_BPF_EXIST &&
        rt_hash_quick_overwrite(m, key, value, cpu, tid))
      return 0;
    return (int)rt_hash_update_form(m.header, m.data, key, value, flags,
                                    (uint64_t)cpu << 32 | tid);
  }
  if (rt_is_queue(m.type))
    return bpfaot_map_push(map, value, flags);
  if (m.type == RT_MAP_STACK_TRACE)
    return -RT_EINVAL;
  if (is_slot_array(m.type)) {
    uint32_t* slot = object_slot(m, key);
    if (flags != RT_BPF_ANY)
      return -RT_EINVAL;
    if (!slot)
      return -RT_E2BIG;
    /* Of a cgroup array it is a flag: which cgroup it was does not matter, there is only one. */
    rt_store(slot, m.type == RT_MAP_CGROUP_ARRAY ? 1u : rt_load_u32(value));
    return 0;
  }
  return -RT_EOPNOTSUPP;
}

int bpfaot_map_delete(const struct bpfaot_map_view* map, const void* key) {
  struct rt_map m = rt_map_of_view(map);
  if (rt_is_hash(m.type))
    return (int)rt_hash_delete(m.header, m.data, key);
  if (m.type == RT_MAP_STACK_TRACE)
    return rt_stack_delete(m, rt_load_u32(key));
  if (is_slot_array(m.type)) {
    uint32_t* slot = object_slot(m, key);
    if (!slot)
      return -RT_E2BIG;
    return __atomic_exchange_n(slot, 0u, __ATOMIC_RELAXED) ? 0 : -RT_ENOENT;
  }
  return rt_is_array(m.type) || rt_is_queue(m.type) ? -RT_EINVAL : -RT_EOPNOTSUPP;
}

int bpfaot_map_push(const struct bpfaot_map_view* map, const void* value, uint64_t flags) {
  if (!rt_is_queue(map->header->type))
    return -RT_EOPNOTSUPP;
  return (int)rt_queue_push(map->header, map->data, value, flags, rt_gettid());
}

int bpfaot_map_pop(const struct bpfaot_map_view* map, void* value) {
  if (!rt_is_queue(map->header->type))
    return -RT_EOPNOTSUPP;
  return (int)rt_queue_pop(map->header, map->data, value, rt_gettid());
}

int bpfaot_map_peek(const struct bpfaot_map_view* map, void* value, uint64_t index) {
  if (!rt_is_queue(map->header->type))
    return -RT_EOPNOTSUPP;
  return (int)rt_queue_peek(map->header, map->data, value, index);
}

static int array_next_key(struct rt_map m, const void* key, void* next) {
  uint32_t index = key ? rt_load_u32(key) : BPFAOT_NONE;
  if (index < m.max_entries && index + 1 == m.max_entries)
    return -RT_ENOENT;
  uint32_t result = index < m.max_entries ? index + 1 : 0;
  __builtin_memcpy(next, &result, sizeof result);
  return 0;
}

int bpfaot_map_next_key(const struct bpfaot_map_view* map, const void* key_or_null, void* next) {
  struct rt_map m = rt_map_of_view(map);
  if (rt_is_array(m.type) || is_slot_array(m.type))
    return array_next_key(m, key_or_null, next);
  if (rt_is_hash(m.type))
    return (int)rt_hash_next_key(m.header, m.data, key_or_null, next);
  if (m.type == RT_MAP_STACK_TRACE)
    return rt_stack_next_id(m, key_or_null, next);
  if (rt_is_queue(m.type))
    return -RT_EINVAL;
  return -RT_EOPNOTSUPP;
}

int bpfaot_user_ring_push(const struct bpfaot_map_view* map, const void* record, uint64_t size) {
  if (map->header->type != RT_MAP_USER_RINGBUF)
    return -RT_EINVAL;
  return (int)rt_user_ring_push(map->header, map->data, record, size);
}
