/* SPDX-License-Identifier: MIT
 *
 * Queue and stack maps: the same values in the same order, taken from the one end or the other.
 * Lock-free like the hash map and for the same reasons: any participant may be stopped, interrupted
 * by a handler that enters this code again, or killed at any instruction.
 *
 * Structure. Values live in elements of a pool (pool.h). Positions count values from the beginning
 * of time; the slot word of position p, at p modulo the number of slots, is {version, element}. What
 * the map is at a moment - position of the oldest value, number of values - says a record, and which
 * record is valid says one word, the root {version, record}. Every change of the map is one
 * compare-and-swap of the root from one record to another, so it happens at once or not at all.
 *
 * A push also has to write a slot word. It announces that in its record (`element` and the slot word
 * `expected`, which is always that of the newest value), and the slot is swapped afterwards: by its
 * owner or by whoever looks at the root first. Everybody helps before he does anything else, so a
 * slot's word cannot change any more while the root stays the same; the version in the slot word
 * lets late helpers fail. (Shafiei, "Non-blocking array-based algorithms for stacks and queues",
 * ICDCN 2009, with records in place of words that hold everything.)
 *
 * Reading. Root, record, slots, values; then an acquire fence, and the root again: the same word
 * means that the record was valid and its elements were in place all that time, because records and
 * elements are only reused after the root has moved on, and the root's version never repeats (2^48
 * changes while one thread stands still). Pop copies the value first and swaps the root afterwards;
 * peek only compares.
 *
 * Records. An operation takes one that nobody prepares and that is not the valid one: in that order
 * of looking, since a record only becomes valid through the one who prepares it. When its swap has
 * succeeded the operation gives up the ownership; the record stays as it is until another one
 * replaces it. A dead owner's record is taken when there is no other.
 *
 * Full is exactly max_entries values, by the record's count. The pool has one element more for each
 * operation that can be under way, so a free one always exists for an operation that has a record;
 * what the dead held is found by the pool's sweep: is_in_place below is exact, as an element knows
 * its position. With more than 256 operations stopped midway the answer is -EBUSY.
 *
 * Deaths. Before the root is swapped nothing has happened. After it all has happened except the slot
 * word, which others write, and an element or a record that others free. Nothing is lost, nobody
 * waits.
 *
 * Hostile peers: counts and indexes are checked before use, loops are bounded.
 */
#include "minirt/queue.h"
#include "minirt/helpers.h"

enum { kAttempts = 1 << 14, kWaits = 64 };

struct snapshot {
  uint64_t root, first, count;
};

RT_INLINE struct rt_queue_head* head_of(struct rt_map m) {
  return (struct rt_queue_head*)m.data;
}
RT_INLINE struct rt_queue_record* record_at(struct rt_map m, uint32_t index) {
  return (struct rt_queue_record*)(m.data + m.header->aux[RT_QUEUE_RECORDS]) + index;
}
RT_INLINE uint64_t* slot_of(struct rt_map m, uint64_t position) {
  return (uint64_t*)(m.data + m.header->aux[RT_QUEUE_SLOTS]) +
         (position & m.header->aux[RT_QUEUE_MASK]);
}
RT_INLINE struct rt_pool pool_of(struct rt_map m) {
  struct rt_pool p = {&head_of(m)->pool, m.data + m.header->aux[RT_QUEUE_ELEMENTS],
                      (uint32_t*)(m.data + m.header->aux[RT_QUEUE_LINKS]),
                      m.header->aux[RT_QUEUE_STRIDE], m.max_entries + RT_QUEUE_OPERATIONS};
  return p;
}
RT_INLINE uint8_t* value_of(struct rt_pool p, uint32_t index) {
  return (uint8_t*)(rt_pool_at(p, index) + 1);
}
RT_INLINE uint32_t record_index(uint64_t root) {
  return (uint32_t)(root & 0xffff);
}
RT_INLINE uint64_t root_to(uint64_t root, uint32_t record) {
  return ((root >> 16) + 1) << 16 | record;
}

/* Reads what the map is, and completes the last push. False: it is changing, or makes no sense. */
static bool look(struct rt_map m, struct snapshot* now) {
  now->root = rt_load_acquire(&head_of(m)->root);
  if (record_index(now->root) > RT_QUEUE_OPERATIONS)
    return false;
  const struct rt_queue_record* r = record_at(m, record_index(now->root));
  now->first = rt_load(&r->first);
  now->count = rt_load(&r->count);
  uint64_t element = rt_load(&r->element), expected = rt_load(&r->expected);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (rt_load(&head_of(m)->root) != now->root || now->count > m.max_entries)
    return false;
  if (element)
    rt_cas64(slot_of(m, now->first + now->count - 1), expected,
             ((expected >> 32) + 1) << 32 | element);
  return true;
}

RT_INLINE bool is_still(struct rt_map m, const struct snapshot* now) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return rt_load(&head_of(m)->root) == now->root;
}

static bool is_in_place(struct rt_map m, uint32_t index) {
  const struct rt_pool_element* e = rt_pool_at(pool_of(m), index);
  for (uint32_t i = 0; i < kWaits; i++) {
    struct snapshot now;
    if (!look(m, &now))
      continue;
    uint64_t position = rt_load(&e->place);
    bool is = position - now.first < now.count &&
              (uint32_t)rt_load_acquire(slot_of(m, position)) == index;
    if (is_still(m, &now))
      return is;
  }
  return true;
}

/* A record of our own, or 0. */
static uint32_t take_record(struct rt_map m, uint32_t tid) {
  for (uint32_t pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < RT_QUEUE_OPERATIONS; i++) {
      uint32_t index = 1 + (tid + i) % RT_QUEUE_OPERATIONS;
      struct rt_queue_record* r = record_at(m, index);
      uint64_t owner = rt_load_acquire(&r->owner);
      if ((uint32_t)owner && (pass == 0 || !rt_thread_is_dead((uint32_t)owner)))
        continue;
      if (record_index(__atomic_load_n(&head_of(m)->root, __ATOMIC_SEQ_CST)) == index)
        continue;
      if (!rt_cas64(&r->owner, owner, ((owner >> 32) + 1) << 32 | tid))
        continue;
      __atomic_thread_fence(__ATOMIC_RELEASE); /* as in rt_pool_claim */
      return index;
    }
  }
  return 0;
}

RT_INLINE void drop_record(struct rt_map m, uint32_t index) {
  struct rt_queue_record* r = record_at(m, index);
  rt_store_release(&r->owner, rt_load(&r->owner) >> 32 << 32);
}

/* What one operation holds until it is over. */
struct operation {
  uint32_t record, element;
  uint64_t state; /* of the element */
};

/* Swaps the root from `now` to our record with these contents. */
static bool commit(struct rt_map m, const struct snapshot* now, const struct operation* op,
                   uint64_t first, uint64_t count) {
  struct rt_queue_record* r = record_at(m, op->record);
  uint64_t* slot = slot_of(m, first + count - 1);
  uint64_t expected = rt_load_acquire(slot);
  rt_store(&r->first, first);
  rt_store(&r->count, count);
  rt_store(&r->element, (uint64_t)op->element);
  rt_store(&r->expected, expected);
  if (!rt_cas64(&head_of(m)->root, now->root, root_to(now->root, op->record)))
    return false;
  if (op->element)
    rt_cas64(slot, expected, ((expected >> 32) + 1) << 32 | op->element);
  return true;
}

static bool prepare(struct rt_map m, struct operation* op, const void* value, uint32_t tid) {
  for (uint32_t i = 0; i < kWaits && !op->record; i++) {
    op->record = take_record(m, tid);
    if (!op->record)
      rt_syscall6(RT_NR_sched_yield, 0, 0, 0, 0, 0, 0);
  }
  if (!op->record)
    return false;
  if (!value)
    return true;
  struct rt_pool pool = pool_of(m);
  for (uint32_t i = 0; i < kWaits && !op->element; i++) {
    op->element = rt_pool_allocate(pool, m, tid, &op->state, is_in_place);
    if (!op->element)
      rt_syscall6(RT_NR_sched_yield, 0, 0, 0, 0, 0, 0);
  }
  if (!op->element)
    return false;
  rt_copy_value(value_of(pool, op->element), value, m.value_size);
  return true;
}

RT_SLOW int64_t rt_queue_push(const struct bpfaot_map_header* header, void* data, const void* value,
                              uint64_t flags, uint32_t tid) {
  struct rt_map m = rt_map_of_header(header, data);
  if (flags != RT_BPF_ANY && flags != RT_BPF_EXIST)
    return -RT_EINVAL;
  struct rt_pool pool = pool_of(m);
  struct operation op = {0, 0, 0};
  int64_t result = -RT_EBUSY;
  for (uint32_t i = 0; i < kAttempts; i++) {
    struct snapshot now;
    if (!look(m, &now)) {
      rt_pause();
      continue;
    }
    bool full = now.count == m.max_entries;
    if (full && flags != RT_BPF_EXIST) {
      result = -RT_E2BIG;
      break;
    }
    if (!op.element && !prepare(m, &op, value, tid))
      break;
    uint32_t oldest = full ? (uint32_t)rt_load_acquire(slot_of(m, now.first)) : 0;
    uint64_t oldest_state = 0;
    if (full && rt_pool_valid(pool, oldest))
      oldest_state = rt_load(&rt_pool_at(pool, oldest)->state);
    rt_store(&rt_pool_at(pool, op.element)->place, now.first + now.count);
    if (!commit(m, &now, &op, now.first + full, now.count + !full))
      continue;
    rt_pool_settle(pool, op.element, op.state);
    if (full && rt_pool_valid(pool, oldest))
      rt_pool_release(pool, oldest, oldest_state);
    op.element = 0;
    result = 0;
    break;
  }
  if (op.element)
    rt_pool_release(pool, op.element, op.state);
  if (op.record)
    drop_record(m, op.record);
  return result;
}

RT_INLINE uint64_t position_of(struct rt_map m, const struct snapshot* now, uint64_t index) {
  return m.type == RT_MAP_QUEUE ? now->first + index : now->first + now->count - 1 - index;
}

/* Copies the value at a position; 0, or the element's index with its state. */
static uint32_t copy_out(struct rt_map m, uint64_t position, void* value, uint64_t* state) {
  struct rt_pool pool = pool_of(m);
  uint32_t index = (uint32_t)rt_load_acquire(slot_of(m, position));
  if (!rt_pool_valid(pool, index))
    return 0;
  *state = rt_load(&rt_pool_at(pool, index)->state);
  __builtin_memcpy(value, value_of(pool, index), m.value_size);
  return index;
}

static int64_t fail(struct rt_map m, void* value, int64_t error) {
  __builtin_memset(value, 0, m.value_size);
  return error;
}

RT_SLOW int64_t rt_queue_pop(const struct bpfaot_map_header* header, void* data, void* value,
                             uint32_t tid) {
  struct rt_map m = rt_map_of_header(header, data);
  struct operation op = {0, 0, 0};
  int64_t result = -RT_EBUSY;
  for (uint32_t i = 0; i < kAttempts; i++) {
    struct snapshot now;
    if (!look(m, &now)) {
      rt_pause();
      continue;
    }
    if (!now.count) {
      result = -RT_ENOENT;
      break;
    }
    if (!op.record && !prepare(m, &op, NULL, tid))
      break;
    uint64_t state;
    uint32_t index = copy_out(m, position_of(m, &now, 0), value, &state);
    if (!index) /* of an older root, or nonsense */
      continue;
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy comes before the swap */
    if (!commit(m, &now, &op, now.first + (m.type == RT_MAP_QUEUE), now.count - 1))
      continue;
    rt_pool_release(pool_of(m), index, state);
    drop_record(m, op.record);
    return 0;
  }
  if (op.record)
    drop_record(m, op.record);
  return fail(m, value, result);
}

RT_SLOW int64_t rt_queue_peek(const struct bpfaot_map_header* header, void* data, void* value,
                              uint64_t index) {
  struct rt_map m = rt_map_of_header(header, data);
  for (uint32_t i = 0; i < kAttempts; i++) {
    struct snapshot now;
    if (!look(m, &now)) {
      rt_pause();
      continue;
    }
    if (index >= now.count)
      return fail(m, value, -RT_ENOENT);
    uint64_t state;
    if (copy_out(m, position_of(m, &now, index), value, &state) && is_still(m, &now))
      return 0;
  }
  return fail(m, value, -RT_EBUSY);
}

/* ---- helpers ---- */

RT_HELPER uint64_t __bpfaot_rt_map_push_elem(rt_env* env, rt_desc* map, const void* value,
                                             uint64_t flags) {
  struct rt_map m = rt_map_of(map);
  return (uint64_t)rt_queue_push(m.header, m.data, value, flags, rt_owner(env));
}

RT_HELPER uint64_t __bpfaot_rt_map_pop_elem(rt_env* env, rt_desc* map, void* value) {
  struct rt_map m = rt_map_of(map);
  return (uint64_t)rt_queue_pop(m.header, m.data, value, rt_owner(env));
}

RT_HELPER uint64_t __bpfaot_rt_map_peek_elem(rt_env* env, rt_desc* map, void* value) {
  (void)env;
  struct rt_map m = rt_map_of(map);
  return (uint64_t)rt_queue_peek(m.header, m.data, value, 0);
}
