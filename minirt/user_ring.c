/* SPDX-License-Identifier: MIT
 *
 * Positions, headers and their meaning are those of the kernel's user ring buffers: two positions
 * that count bytes and never wrap, records of a 4-byte length (with a busy and a discard bit), four
 * bytes that are not used, and the payload rounded up to 8. The bytes are there twice the size
 * long, as for ring buffers (ring.c): a record that begins before the end runs on past it.
 *
 * Who drains holds a word with its thread id, so that no two do; it is taken back from the dead. A
 * second drain meanwhile fails with -EBUSY, as in the kernel.
 *
 * All of it is shared memory. What is checked has been copied before: positions and length are read
 * once, and the payload that a program gets is bounded by that copy. It may change while the
 * program looks at it, as any map value may.
 */
#include "minirt/user_ring.h"
#include "minirt/dynptr.h"
#include "minirt/helpers.h"
#include "minirt/rt.h"

enum { kHeader = 8, kMostRecords = 128 << 10, kNoWakeup = 1, kForceWakeup = 2 };
#define kBusy (UINT32_C(1) << 31)
#define kDiscarded (UINT32_C(1) << 30)

struct rt_user_record {
  uint8_t* bytes;
  uint64_t next; /* position behind it */
};

/* Takes the right to drain; false: somebody who lives has it. */
RT_SLOW bool rt_user_ring_enter(void* data, uint32_t tid);
RT_SLOW void rt_user_ring_leave(void* data, uint32_t tid);

/* Size of the oldest record; -ENODATA: there is none yet; -EAGAIN: it is discarded; other errors: the
 * ring makes no sense. */
RT_SLOW int64_t rt_user_ring_peek(const struct bpfaot_map_header* header, void* data,
                                  struct rt_user_record* record);

RT_INLINE struct rt_user_ring_head* head_of(void* data) {
  return (struct rt_user_ring_head*)data;
}

RT_SLOW bool rt_user_ring_enter(void* data, uint32_t tid) {
  uint32_t* word = &head_of(data)->drains;
  uint32_t holder = rt_load(word);
  if (holder && (holder == tid || !rt_thread_is_dead(holder)))
    return false;
  return rt_cas32(word, holder, tid);
}

RT_SLOW void rt_user_ring_leave(void* data, uint32_t tid) {
  rt_cas32(&head_of(data)->drains, tid, 0);
}

RT_SLOW int64_t rt_user_ring_peek(const struct bpfaot_map_header* header, void* data,
                                  struct rt_user_record* record) {
  struct rt_user_ring_head* head = head_of(data);
  uint64_t size = header->aux[RT_USER_RING_SIZE];
  uint64_t produced = rt_load_acquire(&head->produced);
  uint64_t consumed = rt_load_acquire(&head->consumed);
  if (produced % 8 || consumed % 8)
    return -RT_EINVAL;
  if (consumed >= produced)
    return -RT_ENODATA;
  uint8_t* at = (uint8_t*)data + header->aux[RT_USER_RING_DATA] + (consumed & (size - 1));
  uint32_t word = rt_load_acquire((uint32_t*)at);
  uint32_t length = word & ~(kBusy | kDiscarded);
  uint64_t total = ((uint64_t)length + kHeader + 7) & ~(uint64_t)7;
  if (total > produced - consumed)
    return -RT_EINVAL;
  if (total > size || length > RT_DYNPTR_MOST)
    return -RT_E2BIG;
  record->bytes = at + kHeader;
  record->next = consumed + total;
  if (word & kDiscarded)
    return -RT_EAGAIN;
  return word & kBusy ? -RT_ENODATA : (int64_t)length;
}

int64_t rt_user_ring_push(const struct bpfaot_map_header* header, void* data, const void* bytes,
                          uint64_t length) {
  struct rt_user_ring_head* head = head_of(data);
  uint64_t size = header->aux[RT_USER_RING_SIZE];
  uint64_t produced = rt_load_acquire(&head->produced);
  uint64_t consumed = rt_load_acquire(&head->consumed);
  uint64_t total = (length + kHeader + 7) & ~(uint64_t)7;
  if (length > RT_DYNPTR_MOST || total > size)
    return -RT_E2BIG;
  if (produced % 8 || produced - consumed > size)
    return -RT_EINVAL;
  if (produced - consumed > size - total)
    return -RT_ENOSPC;
  uint8_t* at = (uint8_t*)data + header->aux[RT_USER_RING_DATA] + (produced & (size - 1));
  __builtin_memcpy(at + kHeader, bytes, length);
  rt_store((uint32_t*)(at + 4), 0);
  rt_store_release((uint32_t*)at, (uint32_t)length);
  rt_store_release(&head->produced, produced + total);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_user_ringbuf_drain(rt_env* env, rt_desc* map, rt_callback* callback,
                                                  void* ctx, uint64_t flags) {
  const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[map->slot];
  void* data = (void*)slot->data;
  uint32_t tid = rt_owner(env);
  uint64_t seen = 0;
  if (flags & ~(uint64_t)(kNoWakeup | kForceWakeup))
    return (uint64_t)-RT_EINVAL;
  if (!rt_user_ring_enter(data, tid))
    return (uint64_t)-RT_EBUSY;
  for (uint32_t i = 0; i < kMostRecords; i++) {
    struct rt_user_record record = {NULL, 0};
    int64_t size =
        rt_user_ring_peek((const struct bpfaot_map_header*)slot->header, data, &record);
    if (size == -RT_ENODATA)
      break;
    if (size < 0 && size != -RT_EAGAIN) {
      seen = (uint64_t)size;
      break;
    }
    uint64_t stop = 0;
    if (size >= 0) {
      struct rt_dynptr dynptr = {record.bytes, (uint32_t)size, 0};
      stop = callback(env, (uint64_t)&dynptr, ctx, NULL, NULL);
      seen++;
    }
    rt_store_release(&head_of(data)->consumed, record.next);
    if (stop)
      break;
  }
  rt_user_ring_leave(data, tid);
  return seen;
}
