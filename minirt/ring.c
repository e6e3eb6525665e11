/* SPDX-License-Identifier: MIT
 *
 * Ring of records in shared memory: many producers in many processes, one consumer, no locks. A
 * producer may be stopped, killed or interrupted by another producer on its own stack anywhere.
 *
 * The kernel reserves under a spinlock. A lock would have to be taken back from the dead and would
 * let a stopped holder stop everybody, so a reservation is published in one step instead.
 *
 * Positions count bytes since the beginning and never wrap; position p is at byte p mod size. A
 * record takes 8 bytes (struct rt_ring_record) and its payload rounded up to 8, as in the kernel,
 * so the same number fits. The bytes are there twice the size long: a record that begins before the
 * end runs on past it, so none is split and nothing is mapped twice (only the pages that overhang
 * are touched).
 *
 * Slots. For each 16 bytes of the ring there is a slot word; records take at least 16 bytes, so
 * each has its own slot, that of its first byte. Programs never see slots. For a ring of 2^s bytes:
 *
 *     63    62        61..40  39..s-3  s-4..0
 *     busy  discarded tid     lap      length / 8
 *
 * lap = position >> s, cut to 43-s bits: a slot word repeats after 8 TiB of records. Length 0 means
 * free for that lap; zero is "free for lap 0", the initial state.
 *
 * Reserve at position p = produced: read the slot of p. If it holds a record of this lap, somebody
 * has reserved p and not yet moved `produced`: do that for him (he may be dead) and start again.
 * Otherwise swap the slot to {busy, tid, lap, length}: that single step makes the record exist,
 * with its owner and length. Then move `produced`. The swap can only succeed while p is still the
 * position: passing p leaves a word with a length and this lap in its slot, which either is kept
 * or, as soon as the consumer has freed those bytes, replaced by words of later laps. A word of a
 * later lap is never taken for free, so a producer that slept for whole laps starts again or fails
 * its swap. Room is checked against `consumed`, which only grows.
 *
 * Submit clears busy with a release store: nobody else writes the slot of a live owner's record.
 *
 * Consume at position c = consumed: wait for busy to clear (acquire). If the owner is dead, discard
 * the record. Deliver; mark it discarded, so that a consumer that takes over after a crash does not
 * deliver it again; set the other slots of the record to "free for the next lap"; move `consumed`
 * (release). The record's own slot keeps its word of this lap, which counts as free in the next
 * one. A consumer that died in between is resumed at the same place with the same steps.
 *
 * Hostile peers can write all of this: positions are masked, lengths checked, loops bounded. A ring
 * that makes no sense is emptied by the consumer.
 */
#include "minirt/ring.h"
#include "minirt/helpers.h"
#include "minirt/map_access.h"

enum { kAttempts = 1 << 12 };
#define kBusyBit ((uint64_t)1 << 63)
#define kDiscardBit ((uint64_t)1 << 62)
enum { kTidShift = 40, kTidMask = (1 << 22) - 1 };

struct ring {
  struct rt_ring_head* head;
  uint64_t* slots;
  uint8_t* bytes;
  uint64_t size;
  uint32_t length_bits; /* s - 3 */
};

RT_INLINE struct ring ring_of(const struct bpfaot_map_header* h, void* data) {
  uint64_t size = h->aux[RT_RING_SIZE];
  struct ring r = {data, (uint64_t*)((uint8_t*)data + h->aux[RT_RING_SLOTS]),
                   (uint8_t*)data + h->aux[RT_RING_DATA], size,
                   (uint32_t)__builtin_ctzll(size) - 3};
  return r;
}

RT_INLINE uint64_t offset_of(struct ring r, uint64_t position) {
  return position & (r.size - 8);
}
RT_INLINE uint64_t* slot_of(struct ring r, uint64_t position) {
  return &r.slots[offset_of(r, position) / RT_RING_GRANULE];
}
RT_INLINE uint64_t lap_mask(struct ring r) {
  return (((uint64_t)1 << kTidShift) - 1) & ~(((uint64_t)1 << r.length_bits) - 1);
}
/* The lap of a position, where it is in a slot word. */
RT_INLINE uint64_t lap_of(struct ring r, uint64_t position) {
  return position >> 3 & lap_mask(r);
}
RT_INLINE uint64_t length_of(struct ring r, uint64_t word) {
  return (word & (((uint64_t)1 << r.length_bits) - 1)) * 8;
}
RT_INLINE bool is_record(struct ring r, uint64_t word, uint64_t position) {
  return length_of(r, word) && (word & lap_mask(r)) == lap_of(r, position);
}

/* In a slot word that is no record of position's lap: of a later one (else free: by its lap, or the
 * record of an earlier one). */
RT_INLINE bool is_later_lap(struct ring r, uint64_t word, uint64_t position) {
  uint64_t ahead = ((word & lap_mask(r)) - lap_of(r, position)) & lap_mask(r);
  return ahead && ahead < (uint64_t)1 << (kTidShift - 1);
}

RT_INLINE uint64_t bytes_taken(uint64_t payload) {
  uint64_t bytes = (payload + sizeof(struct rt_ring_record) + 7) & ~(uint64_t)7;
  return bytes < RT_RING_GRANULE ? RT_RING_GRANULE : bytes;
}

static RT_COLD void* lose(struct ring r) {
  rt_add(&r.head->lost, 1);
  return NULL;
}

RT_SLOW void* rt_ring_reserve(const struct bpfaot_map_header* header, void* data, uint64_t size,
                              uint32_t tag, uint32_t tid) {
  struct ring r = ring_of(header, data);
  if (rt_unlikely(size >= r.size))
    return NULL; /* never fits; the kernel does not count these either */
  uint64_t bytes = bytes_taken(size);
  uint64_t claim = kBusyBit | (uint64_t)tid << kTidShift | bytes / 8;
  for (uint32_t i = 0; i < kAttempts; i++) {
    uint64_t position = rt_load_acquire(&r.head->produced);
    uint64_t used = position + bytes - rt_load_acquire(&r.head->consumed);
    uint64_t* slot = slot_of(r, position);
    uint64_t word = rt_load_acquire(slot);
    if (is_record(r, word, position)) {
      rt_cas64(&r.head->produced, position, position + length_of(r, word));
      continue;
    }
    if (rt_unlikely(is_later_lap(r, word, position)))
      continue; /* `position` is long past */
    if (rt_unlikely(used >= r.size)) {
      if (rt_load_acquire(&r.head->produced) != position)
        continue;
      return lose(r);
    }
    if (rt_unlikely(!rt_cas64(slot, word, claim | lap_of(r, position))))
      continue;
    rt_cas64(&r.head->produced, position, position + bytes);
    struct rt_ring_record* record = (struct rt_ring_record*)(r.bytes + offset_of(r, position));
    record->size = (uint32_t)size;
    record->tag = tag;
    return record + 1;
  }
  return lose(r);
}

RT_SLOW void rt_ring_finish(const struct bpfaot_map_header* header, void* data, void* record,
                            bool discard) {
  struct ring r = ring_of(header, data);
  uint64_t offset = (uint64_t)((uint8_t*)record - sizeof(struct rt_ring_record) - r.bytes);
  uint64_t* slot = slot_of(r, offset);
  uint64_t word = rt_load(slot) & ~kBusyBit;
  rt_store_release(slot, discard ? word | kDiscardBit : word);
}

/* ---- helpers ---- */

enum { kNoWakeup = 1, kForceWakeup = 2 }; /* nobody sleeps on a ring: consumers poll */

RT_HELPER void* __bpfaot_rt_ringbuf_reserve(rt_env* env, rt_desc* map, uint64_t size,
                                            uint64_t flags) {
  if (flags)
    return NULL;
  const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[map->slot];
  return rt_ring_reserve((const struct bpfaot_map_header*)slot->header, (void*)slot->data, size,
                         map->slot, rt_owner(env));
}

/* The ring that a record is in. Its tag is in shared memory and therefore only a hint. */
static const struct bpfaot_map_slot* ring_with(const void* record) {
  const struct rt_ring_record* head = (const struct rt_ring_record*)record - 1;
  uint32_t hint = rt_load(&head->tag);
  for (uint32_t i = 0; i <= __bpfaot_rt.map_count; i++) {
    uint32_t index = i ? i - 1 : hint;
    if (index >= __bpfaot_rt.map_count)
      continue;
    const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[index];
    const struct bpfaot_map_header* h = (const struct bpfaot_map_header*)slot->header;
    if (h && h->type == RT_MAP_RINGBUF && (uint64_t)head - slot->data < h->data_size)
      return slot;
  }
  return NULL;
}

static RT_SLOW void finish(void* record, bool discard) {
  const struct bpfaot_map_slot* slot = ring_with(record);
  if (slot)
    rt_ring_finish((const struct bpfaot_map_header*)slot->header, (void*)slot->data, record,
                   discard);
}

RT_HELPER void __bpfaot_rt_ringbuf_submit(rt_env* env, void* record, uint64_t flags) {
  (void)env;
  (void)flags;
  finish(record, false);
}

RT_HELPER void __bpfaot_rt_ringbuf_discard(rt_env* env, void* record, uint64_t flags) {
  (void)env;
  (void)flags;
  finish(record, true);
}

/* Inline, so that a copy of constant size is no call. */
RT_INLINE int64_t output(const struct bpfaot_map_slot* slot, const void* from, uint64_t size,
                              uint32_t tag, uint32_t tid) {
  const struct bpfaot_map_header* h = (const struct bpfaot_map_header*)slot->header;
  void* record = rt_ring_reserve(h, (void*)slot->data, size, tag, tid);
  if (!record)
    return -RT_EAGAIN;
  __builtin_memcpy(record, from, size);
  rt_ring_finish(h, (void*)slot->data, record, false);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_ringbuf_output(rt_env* env, rt_desc* map, const void* from,
                                              uint64_t size, uint64_t flags) {
  if (flags & ~(uint64_t)(kNoWakeup | kForceWakeup))
    return (uint64_t)-RT_EINVAL;
  return (uint64_t)output(&__bpfaot_rt.maps[map->slot], from, size, map->slot, rt_owner(env));
}

RT_HELPER uint64_t __bpfaot_rt_ringbuf_query(rt_env* env, rt_desc* map, uint64_t what) {
  (void)env;
  const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[map->slot];
  struct ring r = ring_of((const struct bpfaot_map_header*)slot->header, (void*)slot->data);
  switch (what) {
  case 0: { /* BPF_RB_AVAIL_DATA; consumed first, or it could overtake */
    uint64_t consumed = rt_load_acquire(&r.head->consumed);
    return rt_load_acquire(&r.head->produced) - consumed;
  }
  case 1: return r.size;
  case 2: return rt_load_acquire(&r.head->consumed);
  case 3: return rt_load_acquire(&r.head->produced);
  default: return 0;
  }
}

/* A record of a perf event has 16 bits for its size, with its header. */
enum { kMaxSample = 65528 - 16 };
#define kIndexMask 0xffffffffu

RT_HELPER uint64_t __bpfaot_rt_perf_event_output(rt_env* env, void* ctx, rt_desc* map,
                                                 uint64_t flags, const void* from, uint64_t size) {
  (void)ctx;
  struct rt_map m = rt_map_of(map);
  if (flags & ~(uint64_t)kIndexMask)
    return (uint64_t)-RT_EINVAL;
  uint32_t cpu = rt_cpu_number();
  uint32_t index = flags == kIndexMask ? cpu : (uint32_t)flags;
  if (index >= m.header->max_entries)
    return (uint64_t)-RT_E2BIG;
  if (index != cpu)
    return (uint64_t)-RT_EOPNOTSUPP;
  if (size > kMaxSample)
    return (uint64_t)-RT_E2BIG;
  int64_t result = output(&__bpfaot_rt.maps[map->slot], from, size, cpu, rt_owner(env));
  return (uint64_t)(result == -RT_EAGAIN ? -RT_ENOSPC : result);
}

/* ---- the consumer ---- */

#ifndef BPFAOT_MINIRT_BITCODE

/* Gives the bytes of the record back, except its own slot, which keeps its word. */
static void free_record(struct ring r, uint64_t position, uint64_t bytes, uint64_t word) {
  rt_store_release(slot_of(r, position), word | kDiscardBit);
  uint64_t end = (position + bytes) / RT_RING_GRANULE;
  for (uint64_t i = position / RT_RING_GRANULE + 1; i < end; i++) {
    uint64_t at = i * RT_RING_GRANULE;
    rt_store(slot_of(r, at), lap_of(r, at + r.size));
  }
  rt_store_release(&r.head->consumed, position + bytes);
}

static bool is_dead_for_consumer(uint32_t tid);

/* The next finished record's slot word, or 0 when there is none yet. */
static uint64_t next_word(struct ring r, uint64_t position) {
  uint64_t produced = rt_load_acquire(&r.head->produced);
  uint64_t word = rt_load_acquire(slot_of(r, position));
  if (!is_record(r, word, position) || length_of(r, word) < RT_RING_GRANULE) {
    if (produced != position) /* not a state that producers leave behind: start from here */
      rt_store_release(&r.head->consumed, produced & ~(uint64_t)7);
    return 0;
  }
  if (produced == position) /* killed before it could move on; nobody has come since */
    rt_cas64(&r.head->produced, position, position + length_of(r, word));
  if (!(word & kBusyBit))
    return word;
  if (!is_dead_for_consumer((uint32_t)(word >> kTidShift) & kTidMask))
    return 0;
  uint64_t discarded = (word & ~kBusyBit) | kDiscardBit;
  if (rt_cas64(slot_of(r, position), word, discarded))
    return discarded;
  return rt_load_acquire(slot_of(r, position)) & kBusyBit ? 0
                                                          : rt_load_acquire(slot_of(r, position));
}

static bool is_ring(uint32_t type) {
  return type == RT_MAP_RINGBUF || type == RT_MAP_PERF_EVENT_ARRAY;
}

int bpfaot_ring_consume(const struct bpfaot_map_view* map, bpfaot_record_fn fn, void* arg,
                        uint32_t limit) {
  if (!is_ring(map->header->type))
    return -RT_EINVAL;
  struct ring r = ring_of(map->header, map->data);
  uint32_t delivered = 0;
  bool stop = false;
  while (!stop && (!limit || delivered < limit)) {
    uint64_t position = rt_load(&r.head->consumed);
    uint64_t word = next_word(r, position);
    if (!word)
      break;
    uint64_t bytes = length_of(r, word);
    const struct rt_ring_record* record =
        (const struct rt_ring_record*)(r.bytes + offset_of(r, position));
    uint32_t size = rt_load(&record->size);
    if (!(word & kDiscardBit) && size <= bytes - sizeof *record) {
      bool perf = map->header->type == RT_MAP_PERF_EVENT_ARRAY;
      stop = fn(arg, record + 1, size, perf ? rt_load(&record->tag) : BPFAOT_NONE) != 0;
      delivered++;
    }
    free_record(r, position, bytes, word);
  }
  return (int)delivered;
}

uint64_t bpfaot_ring_lost(const struct bpfaot_map_view* map) {
  return is_ring(map->header->type) ? rt_load(&((struct rt_ring_head*)map->data)->lost) : 0;
}

/* A killed process whose parent has not waited for it still has its id; for the consumer, which
 * runs outside of the target, the state in /proc tells. */
static bool is_dead_for_consumer(uint32_t tid) {
  if (rt_thread_is_dead(tid))
    return true;
  char path[32] = "/proc/", digits[12];
  uint32_t at = 6, count = 0;
  for (uint32_t n = tid; n; n /= 10)
    digits[count++] = (char)('0' + n % 10);
  while (count)
    path[at++] = digits[--count];
  __builtin_memcpy(path + at, "/stat", 6);
  long fd = rt_syscall6(RT_NR_openat, -100, (long)path, 02000000 /* O_CLOEXEC */, 0, 0, 0);
  if (fd < 0)
    return false;
  char text[128];
  long size = rt_syscall6(RT_NR_read, fd, (long)text, sizeof text, 0, 0, 0);
  rt_syscall6(RT_NR_close, fd, 0, 0, 0, 0, 0);
  for (long i = size - 3; i >= 0; i--) { /* the name before the state may contain anything */
    if (text[i] == ')' && text[i + 1] == ' ')
      return text[i + 2] == 'Z' || text[i + 2] == 'X';
  }
  return false;
}

#endif
