/* SPDX-License-Identifier: MIT
 *
 * Hash maps in shared memory (the per-CPU and LRU forms are told apart below): lock-free, for any
 * number of threads and processes, any of which may be stopped, interrupted by a signal that enters
 * this code again, or killed at any instruction. Its steps depend on each other's memory order, so
 * the argument below and all of its code stay together in one file.
 *
 * Why no locks. A bucket lock would have to be taken back from the dead (tids are reused, and say
 * nothing across PID namespaces), waited for when its holder is stopped by a debugger (bpf-aot
 * itself stops threads wherever they are), and given up on when the holder is below us on the same
 * stack. Here each change is one compare-and-swap that anybody can see through, and nobody waits.
 *
 * Structure. A bucket is a link word, the head of a singly linked list of elements (indexes, not
 * addresses). Elements come from a pool of exactly max_entries. Words:
 *
 * - A link word is {version, mark, index}: bucket heads, and `next` of elements. Each change raises
 *   the version, also across reuse of the element, so a word that still compares equal has not
 *   changed in between (a wrap needs 2^32 changes of one link while one thread stands still). The
 *   mark in e.next means that e is deleted, and freezes e.next (Harris, DISC 2001; versions in
 *   place of safe memory reclamation as in Michael, SPAA 2002: pool memory is never unmapped).
 * - A state word is {version, kind}. FREE (0); ALLOCATED by a tid: being filled; LIVE; BUSY by a
 *   tid: its value is being overwritten; BUSY|DELETED by a tid: deleted meanwhile, the owner frees
 *   it. The version goes up when the element becomes FREE, so no late compare-and-swap of an
 *   earlier life can succeed.
 *
 * Walking. To step from link L (word w) to element e: read w; read e.next, e.state and the key;
 * acquire fence; check that L still holds w. If so e was in the list at L during all of that
 * time, and what was read belongs to that life of e. By induction L itself (in an element that was
 * unmarked with the checked word) is in the list as well: an element leaves the list only after its
 * `next` was marked, which changes the word. If the check fails the walk starts again; it
 * fails only if somebody else got something done. A marked element is unlinked by whoever meets it.
 * End of list reached through a checked chain means: the key was absent at the time the last
 * `next` was read. Lookups walk without unlinking: programs take the first step themselves, rt_hash_find
 * goes on from there, and at the first failing check the walk that helps begins.
 *
 * Insert. Absent under head word h: allocate, fill key and value, next = h's index, then swap the
 * head from h to the element (release: readers who acquire the head see the contents). Every
 * insert changes the head, so two inserts of a key cannot both succeed, and unlinking elsewhere in
 * the list does no harm. Afterwards ALLOCATED becomes LIVE; whoever needs that earlier may do it,
 * since an element found in a list is certainly linked.
 *
 * Delete. Mark e.next (this is the moment of deletion), unlink, free. Whoever unlinks frees: the
 * unlinking swap can succeed only once per life.
 *
 * Update of an existing key is in place, as pointers to the value stay good: LIVE -> BUSY(tid),
 * check that e is not marked, write in words of 8, BUSY -> LIVE. If it was deleted meanwhile the
 * last step finds BUSY|DELETED and frees it: nobody writes into an element that has a new owner.
 * Two updates of one key: the second waits a little; if the first one stands still (stopped, or
 * preempted) the second reports success without writing, which is the order "second, then first".
 * If the first is dead its mark is taken over. If the first is below us on the same stack: -EBUSY,
 * as in the kernel.
 *
 * Deaths. Killed with an element ALLOCATED: not linked, or linked but not LIVE yet. Killed after
 * marking: the element is still to be unlinked, or unlinked but not FREE. Killed while BUSY: value
 * partly written, which is the fate of that key only. In each case all lists are whole, no other
 * key is concerned, and at most one element is missing from the pool. `sweep`, which runs when the
 * pool is empty, finds out which case it is (dead owner, or mark set; reachable from its bucket or
 * not) and puts the element back. tid reuse delays that until the second owner is dead as well.
 *
 * The pool. An element is allocated by swapping its state from FREE, and nothing else counts. Where
 * to look is only a hint: a stack of freed elements, then elements never used (memory is touched
 * in this order, so a sparse file stays sparse), then sweep. If the hints are wrong (killed between
 * pop and use, or one pushed twice) elements are found by sweep, which also starts the stack
 * anew. So "full" (-E2BIG) means what it says: no element is FREE. (A thread that stands still in
 * the middle of an insert or delete may hold one; others wait for a while, then report full.)
 *
 * To keep refused inserts cheap, a complete sweep that met nothing but LIVE sets `full`, and
 * deleting clears it, before and after:
 *
 * - sweep stores SWEEPING, reads the states, swaps SWEEPING to FULL;
 * - delete stores 0, marks, unlinks, makes the state FREE, stores 0.
 *
 * All are sequentially consistent, so either sweep sees the element FREE, or the delete's second
 * store comes after SWEEPING and undoes it. A delete that was killed between freeing and the second
 * store is made up for by every 64th refused insert sweeping anyway.
 *
 * Per-CPU values lie outside of the elements, by element and CPU slot. An insert by a program writes
 * its own slot and zeros the others; an overwrite writes its own. Elements change hands as above, so
 * BUSY is what keeps an element while a value is written. But the values of two writers are not
 * the same one here, so the second one may not leave the writing to the first: when that stands
 * still it writes its own slot all the same. The element stays what it is meanwhile, unless the
 * first goes on, finishes, and the key is deleted and its element used again, all during one copy.
 *
 * LRU forms never report full. When no element is free, a hand goes round over the elements in order
 * of their index: one that was used since the hand last passed loses its mark and stays; the first
 * one without a mark is deleted and taken. After kLruMarks elements marks protect no longer, so an
 * insert costs a bounded time. Used means: looked up by a program, or written when it was there
 * already; an insert alone is no use. Deleting for this is the same as Delete above except that the
 * element is known by its index: its state was LIVE (so it is linked) before and after `next` and
 * the key were read, and the swap that marks `next` fails if anything changed since. Elements in the
 * hands of others are passed over; if that is all there is, the answer is -ENOMEM, as in the kernel.
 *
 * Hostile peers. Other processes can write this memory. Indexes are checked against max_entries of
 * the sealed header at every step, and all walks are bounded, so the worst they cause is a wrong
 * answer.
 */
#include "minirt/hash.h"

enum { kFullNo = 0, kFullSweeping = 1, kFull = 2 };
enum {
  kRestarts = 1 << 14,
  kQuickSteps = 16,
  kSparePops = 8,
  kSparePushes = 64,
  kSpins = 200,
  kYields = 64,
  kWaits = 64,
  kLruMarks = 128,
  kLruMore = 128
};

#define kVersion ((uint64_t)1 << 32)

RT_INLINE uint32_t kind_of(uint64_t state) {
  return (uint32_t)state;
}
RT_INLINE uint64_t freed(uint64_t state) {
  return rt_hash_with_kind(state, RT_HASH_FREE) + kVersion;
}
RT_INLINE bool same_life(uint64_t a, uint64_t b) {
  return a >> 32 == b >> 32;
}
RT_INLINE uint64_t link_to(uint64_t old, uint32_t index) {
  return ((old >> 32) + 1) << 32 | index;
}

/* As rt_hash_element, for code that does not know the map's type and sizes. */
RT_INLINE struct rt_hash_element* element_at(struct rt_map m, uint32_t index) {
  return (struct rt_hash_element*)(m.data + m.header->aux[RT_HASH_ELEMENTS] +
                                   (index - 1) * m.header->aux[RT_HASH_STRIDE]);
}

RT_INLINE struct rt_hash_head* head_of(struct rt_map m) {
  return (struct rt_hash_head*)m.data;
}

/* ---- pool ---- */

/* What is below a free element on the stack of hints. Not inside the element: somebody may have
 * allocated it again before it is pushed. */
RT_INLINE uint32_t* spare_link(struct rt_map m, uint32_t index) {
  return (uint32_t*)(m.data + m.header->aux[RT_HASH_SPARES]) + index - 1;
}

static void push_spare(struct rt_map m, uint32_t index) {
  struct rt_hash_head* head = head_of(m);
  for (uint32_t i = 0; i < kSparePops; i++) {
    uint64_t top = rt_load(&head->spare);
    rt_store(spare_link(m, index), (uint32_t)top);
    if (rt_cas64(&head->spare, top, link_to(top, index)))
      return;
  }
}

static void note_room(struct rt_map m) {
  struct rt_hash_head* head = head_of(m);
  if (__atomic_load_n(&head->full, __ATOMIC_SEQ_CST))
    __atomic_store_n(&head->full, (uint32_t)kFullNo, __ATOMIC_SEQ_CST);
}

/* Swaps `state` to FREE; the element was allocated by us, or unlinked by us. */
static bool release(struct rt_map m, uint32_t index, uint64_t state) {
  struct rt_hash_element* e = element_at(m, index);
  if (!rt_cas64(&e->state, state, freed(state)))
    return false;
  push_spare(m, index);
  note_room(m);
  return true;
}

/* An unlinked element of the life that `seen` shows is freed, by us or by the one that writes to
 * it. */
static void retire(struct rt_map m, uint32_t index, uint64_t seen) {
  struct rt_hash_element* e = element_at(m, index);
  for (uint32_t i = 0; i < kRestarts; i++) {
    uint64_t state = rt_load_acquire(&e->state);
    if (!same_life(state, seen) || kind_of(state) == RT_HASH_FREE ||
        (kind_of(state) & RT_HASH_DELETED))
      return;
    if (kind_of(state) & RT_HASH_BUSY) {
      if (rt_cas64(&e->state, state, state | RT_HASH_DELETED))
        return;
    } else if (release(m, index, state)) {
      return;
    }
  }
}

static bool claim(struct rt_map m, uint32_t index, uint32_t tid, uint64_t* state) {
  struct rt_hash_element* e = element_at(m, index);
  uint64_t found = rt_load(&e->state);
  if (kind_of(found) != RT_HASH_FREE)
    return false;
  *state = rt_hash_with_kind(found, RT_HASH_ALLOCATED | tid);
  return rt_cas64(&e->state, found, *state);
}

static RT_COLD uint32_t sweep(struct rt_map m, uint32_t tid, uint64_t* state);
static RT_COLD uint32_t evict(struct rt_map m, uint32_t tid, uint64_t* state);

/* Index of an element that is ALLOCATED by us, or 0 when all are in use; *state is then 0 if that
 * is certain, and 1 if some were on their way in or out. */
RT_INLINE uint32_t allocate(struct rt_map m, uint32_t type, uint32_t tid, uint64_t* state) {
  struct rt_hash_head* head = head_of(m);
  for (uint32_t i = 0; i < kSparePops; i++) {
    uint64_t top = rt_load_acquire(&head->spare);
    uint32_t index = (uint32_t)top;
    if (!index || index > m.max_entries)
      break;
    uint32_t below = rt_load(spare_link(m, index));
    if (rt_cas64(&head->spare, top, link_to(top, below)) && claim(m, index, tid, state))
      return index;
  }
  for (uint32_t i = 0; i < m.max_entries && rt_load(&head->used) < m.max_entries; i++) {
    uint32_t index = rt_add(&head->used, 1) + 1;
    if (index <= m.max_entries && claim(m, index, tid, state))
      return index;
  }
  return rt_is_lru(type) ? evict(m, tid, state) : sweep(m, tid, state);
}

/* ---- lists ---- */

struct position {
  uint64_t* bucket;
  uint64_t head;  /* head word under which the whole walk took place */
  uint64_t* link; /* to the element */
  uint64_t word;  /* in link */
  uint32_t index; /* of the element; 0 = absent */
  uint64_t next, state;
};

enum walk { kDone, kAgain, kCorrupt };

/* One walk over the bucket; key null: to the end, to unlink all that is marked. */
static enum walk walk(struct rt_map m, const void* key, struct position* at) {
  uint64_t* link = at->bucket;
  uint64_t word = rt_load_acquire(link);
  at->head = word;
  for (uint32_t steps = 0; steps <= m.max_entries; steps++) {
    at->link = link;
    at->word = word;
    at->index = rt_link_index(word);
    if (!at->index)
      return kDone;
    if (at->index > m.max_entries)
      return kCorrupt;
    struct rt_hash_element* e = element_at(m, at->index);
    at->next = rt_load_acquire(&e->next);
    at->state = rt_load_acquire(&e->state);
    if (rt_link_marked(at->next)) {
      uint64_t after = link_to(word, rt_link_index(at->next));
      if (!rt_cas64(link, word, after))
        return kAgain;
      retire(m, at->index, at->state);
      if (link == at->bucket)
        at->head = after;
      word = after;
      continue;
    }
    bool equal = key && rt_hash_key_equals(e, key, m.key_size);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (rt_load(link) != word)
      return kAgain;
    if (equal)
      return kDone;
    link = &e->next;
    word = at->next;
  }
  return kCorrupt; /* a list goes from newer to older elements, so it cannot be longer than the pool
                    */
}

/* False only when the walk was disturbed kRestarts times, or the memory makes no sense. */
static __attribute__((noinline)) bool find(struct rt_map m, uint64_t hash, const void* key,
                                           struct position* at) {
  at->bucket = rt_hash_bucket(m, hash);
  for (uint32_t i = 0; i < kRestarts; i++) {
    enum walk result = walk(m, key, at);
    if (result != kAgain)
      return result == kDone;
    rt_pause();
  }
  return false;
}

static uint64_t hash_of_element(struct rt_map m, const struct rt_hash_element* e) {
  uint64_t hash = 0x243f6a8885a308d3u;
  for (uint32_t i = 0; i < rt_key_words(m.key_size); i++)
    hash = rt_hash_step(hash, rt_load(&e->key[i]));
  return hash;
}

/* Puts right what a dead or slow owner left of element `index`. True when it is plainly LIVE. */
static RT_COLD bool settle(struct rt_map m, uint32_t index) {
  struct rt_hash_element* e = element_at(m, index);
  uint64_t state = rt_load_acquire(&e->state);
  uint64_t next = rt_load_acquire(&e->next);
  uint32_t kind = kind_of(state);
  if (kind == RT_HASH_FREE)
    return false;
  bool owned = kind & (RT_HASH_ALLOCATED | RT_HASH_BUSY);
  if (owned && !rt_thread_is_dead(kind & RT_HASH_OWNER))
    return false;
  if (kind & RT_HASH_BUSY) {
    if (kind & RT_HASH_DELETED)
      release(m, index, state);
    else
      rt_cas64(&e->state, state, rt_hash_with_kind(state, RT_HASH_LIVE));
    return false;
  }
  bool marked = rt_link_marked(next);
  if (kind == RT_HASH_LIVE && !marked)
    return true;
  /* ALLOCATED by the dead, or deleted but not freed: is it in its bucket? Walking to the end
   * unlinks it if it is marked; an unmarked one is found by its index. A key that was never
   * completely written leads to some bucket, where it is not. */
  struct position at;
  at.bucket = rt_hash_bucket(m, hash_of_element(m, e));
  uint64_t words[64]; /* keys have at most 512 bytes */
  for (uint32_t i = 0; i < rt_key_words(m.key_size) && i < 64; i++)
    words[i] = rt_load(&e->key[i]);
  for (uint32_t i = 0; i < kRestarts; i++) {
    enum walk result = walk(m, marked ? NULL : words, &at);
    if (result == kAgain)
      continue;
    if (result == kCorrupt)
      return false;
    if (!marked && at.index == index)
      rt_cas64(&e->state, state, rt_hash_with_kind(state, RT_HASH_LIVE));
    else
      release(m, index, state);
    return false;
  }
  return false;
}

/* Looks at all elements that were ever used: takes the first FREE one, keeps some more as spare,
 * repairs. */
static RT_COLD uint32_t sweep(struct rt_map m, uint32_t tid, uint64_t* state) {
  struct rt_hash_head* head = head_of(m);
  *state = 0;
  if (rt_load(&head->full) == kFull && (rt_add(&head->refused, 1) & 63) != 63)
    return 0;
  __atomic_store_n(&head->full, (uint32_t)kFullSweeping, __ATOMIC_SEQ_CST);
  uint64_t top = rt_load(&head->spare);
  rt_cas64(&head->spare, top, link_to(top, 0));
  uint32_t taken = 0, spare = 0;
  bool only_live = true;
  for (uint32_t index = 1; index <= m.max_entries && spare < kSparePushes; index++) {
    if (!settle(m, index))
      only_live = false;
    struct rt_hash_element* e = element_at(m, index);
    if (kind_of(__atomic_load_n(&e->state, __ATOMIC_SEQ_CST)) != RT_HASH_FREE)
      continue;
    if (!taken) {
      taken = claim(m, index, tid, state) ? index : 0;
    } else {
      push_spare(m, index);
      spare++;
    }
  }
  rt_cas32(&head->full, kFullSweeping, !taken && only_live ? kFull : kFullNo);
  if (!taken)
    *state = !only_live;
  return taken;
}

/* Deletes element `index`, whatever its key, if it is plainly LIVE. */
static void delete_element(struct rt_map m, uint32_t index) {
  struct rt_hash_element* e = element_at(m, index);
  uint64_t state = rt_load_acquire(&e->state);
  uint64_t next = rt_load_acquire(&e->next);
  uint64_t hash = hash_of_element(m, e);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (kind_of(state) != RT_HASH_LIVE || rt_load(&e->state) != state || rt_link_marked(next))
    return;
  if (!rt_cas64(&e->next, next, link_to(next, rt_link_index(next)) | RT_LINK_MARK))
    return;
  struct position at;
  find(m, hash, NULL, &at); /* unlinks and frees it, unless somebody else has */
}

/* An element that is ALLOCATED by us, taken from a key that was not used lately. */
static RT_COLD uint32_t evict(struct rt_map m, uint32_t tid, uint64_t* state) {
  for (uint32_t i = 0; i < kLruMarks + kLruMore; i++) {
    uint32_t index = (uint32_t)(rt_add(&head_of(m)->hand, 1) % m.max_entries) + 1;
    if (settle(m, index)) {
      uint8_t* mark = rt_hash_used_mark(m, index);
      if (i < kLruMarks && rt_load(mark)) {
        rt_store(mark, (uint8_t)0);
        continue;
      }
      delete_element(m, index);
    }
    if (claim(m, index, tid, state))
      return index;
  }
  *state = 1;
  return 0;
}

/* ---- operations ---- */

static RT_COLD uint32_t find_from_start(const struct bpfaot_map_header* header, void* data,
                                        const void* key) {
  struct rt_map m = rt_map_of_header(header, data);
  struct position at;
  return find(m, rt_hash_key(key, m.key_size), key, &at) ? at.index : 0;
}

/* Without helping: at the first sign of somebody else's change it begins again, with that. */
RT_SLOW uint32_t rt_hash_find(const struct bpfaot_map_header* header, void* data, const void* key,
                              const uint64_t* link, uint64_t word) {
  uint64_t stride = header->aux[RT_HASH_STRIDE];
  const uint8_t* elements = (const uint8_t*)data + header->aux[RT_HASH_ELEMENTS] - stride;
  uint32_t words = header->key_size / 8;
  bool has_rest = header->key_size % 8 != 0;
  uint64_t rest = has_rest ? rt_key_word(key, header->key_size, words) : 0;
  for (uint32_t steps = 0; link && steps < kQuickSteps; steps++) {
    uint32_t index = rt_link_index(word);
    if (!index)
      return 0;
    if (index > header->max_entries)
      break;
    const struct rt_hash_element* e = (const struct rt_hash_element*)(elements + index * stride);
    uint64_t next = rt_load_acquire(&e->next);
    uint64_t difference = has_rest ? rt_load(&e->key[words]) ^ rest : 0;
    for (uint32_t i = 0; i < words; i++)
      difference |= rt_load(&e->key[i]) ^ rt_key_word(key, header->key_size, i);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (rt_load(link) != word || rt_link_marked(next))
      break;
    if (!difference)
      return index;
    link = &e->next;
    word = next;
  }
  return find_from_start(header, data, key);
}

/* `m` for accessors that are inlined. What is passed on to a function by value lies in memory, where
 * a type that is a constant is not seen as one. */
RT_INLINE struct rt_map with_type(struct rt_map m, uint32_t type) {
  m.type = type;
  return m;
}

enum overwrite { kWritten, kGone, kOwnBusy };

/* Overwrites the value of the element found at `at`. kGone: it was deleted; look again. */
RT_INLINE enum overwrite overwrite(struct rt_map m, uint32_t type, const struct position* at,
                                   const void* value, uint64_t who) {
  const struct rt_map known = with_type(m, type);
  struct rt_hash_element* e = element_at(m, at->index);
  uint32_t tid = (uint32_t)who;
  uint8_t* to = rt_hash_value(known, at->index, (uint32_t)(who >> 32));
  uint64_t busy = rt_hash_with_kind(at->state, RT_HASH_BUSY | tid);
  for (uint32_t i = 0; i < kSpins + kYields; i++) {
    uint64_t state = rt_load_acquire(&e->state);
    uint32_t kind = kind_of(state);
    if (!same_life(state, at->state) || kind == RT_HASH_FREE || (kind & RT_HASH_DELETED))
      return kGone;
    if (kind & RT_HASH_BUSY) {
      if ((kind & RT_HASH_OWNER) == tid)
        return kOwnBusy;
      if (i < kSpins) {
        rt_pause();
        continue;
      }
      if (!rt_thread_is_dead(kind & RT_HASH_OWNER)) {
        rt_syscall6(RT_NR_sched_yield, 0, 0, 0, 0, 0, 0);
        continue;
      }
    }
    if (!rt_cas64(&e->state, state, busy))
      continue;
    bool marked = rt_link_marked(rt_load_acquire(&e->next));
    if (!marked) {
      rt_hash_touch(known, at->index);
      rt_copy_value(to, value, m.value_size);
    }
    if (!rt_cas64(&e->state, busy, rt_hash_with_kind(busy, RT_HASH_LIVE)))
      release(m, at->index, busy | RT_HASH_DELETED);
    return marked ? kGone : kWritten;
  }
  if (rt_is_per_cpu_hash(type)) /* its writer stands still, and writes another value than ours */
    rt_copy_value(to, value, m.value_size);
  return kWritten; /* else: it will overwrite what we would have written */
}

RT_COLD void rt_hash_release_deleted(const struct bpfaot_map_header* header, void* data,
                                     struct rt_hash_element* e, uint64_t busy) {
  struct rt_map m = rt_map_of_header(header, data);
  uint64_t offset = (uint64_t)((uint8_t*)e - m.data) - header->aux[RT_HASH_ELEMENTS];
  release(m, (uint32_t)(offset / header->aux[RT_HASH_STRIDE]) + 1, busy | RT_HASH_DELETED);
}

RT_INLINE void fill(struct rt_map m, uint32_t index, const void* key, const void* value,
                 uint32_t cpu) {
  struct rt_hash_element* e = element_at(m, index);
  for (uint32_t i = 0; i < rt_key_words(m.key_size); i++)
    rt_store(&e->key[i], rt_key_word(key, m.key_size, i));
  rt_copy_value(rt_hash_value(m, index, cpu), value, m.value_size);
  if (rt_is_lru(m.type))
    rt_store(rt_hash_used_mark(m, index), (uint8_t)0);
  for (uint32_t other = 0; rt_is_per_cpu_hash(m.type) && other < m.header->cpus; other++) {
    uint64_t* words = (uint64_t*)rt_hash_value(m, index, other);
    for (uint32_t i = 0; other != cpu && i < m.elem_size / 8; i++)
      rt_store(&words[i], (uint64_t)0);
  }
}

/* Links the filled element `index` under the head that `at` saw. */
static bool link_element(struct rt_map m, const struct position* at, uint32_t index,
                         uint64_t state) {
  struct rt_hash_element* e = element_at(m, index);
  rt_store(&e->next, link_to(rt_load(&e->next), rt_link_index(at->head)));
  if (!rt_cas64(at->bucket, at->head, link_to(at->head, index)))
    return false;
  rt_cas64(&e->state, state, rt_hash_with_kind(state, RT_HASH_LIVE));
  return true;
}

RT_INLINE int64_t update(struct rt_map m, uint32_t type, const void* key, const void* value,
                         uint64_t flags, uint64_t who) {
  if (flags > RT_BPF_EXIST)
    return -RT_EINVAL; /* with BPF_F_LOCK too: no value here has a bpf_spin_lock */
  uint64_t hash = rt_hash_key(key, m.key_size);
  struct position at;
  uint32_t tid = (uint32_t)who;
  uint32_t mine = 0;
  uint64_t state = 0;
  uint32_t waits = 0;
  int64_t result = -RT_EBUSY;
  for (uint32_t i = 0; i < kRestarts; i++) {
    if (!find(m, hash, key, &at))
      break;
    if (at.index) {
      if (flags == RT_BPF_NOEXIST) {
        result = -RT_EEXIST;
        break;
      }
      enum overwrite done = overwrite(m, type, &at, value, who);
      if (done == kGone)
        continue;
      result = done == kWritten ? 0 : -RT_EBUSY;
      break;
    }
    if (flags == RT_BPF_EXIST) {
      result = -RT_ENOENT;
      break;
    }
    if (!mine) {
      mine = allocate(m, type, tid, &state);
      if (!mine) { /* perhaps because of an insert of the same key: look again */
        if (!find(m, hash, key, &at))
          break;
        if (at.index)
          continue;
        if (state && waits++ < kWaits) {
          rt_syscall6(RT_NR_sched_yield, 0, 0, 0, 0, 0, 0);
          continue;
        }
        result = rt_is_lru(type) ? -RT_ENOMEM : -RT_E2BIG;
        break;
      }
      fill(with_type(m, type), mine, key, value, (uint32_t)(who >> 32));
    }
    if (link_element(m, &at, mine, state))
      return 0;
  }
  if (mine)
    release(m, mine, state);
  return result;
}

RT_SLOW int64_t rt_hash_update(const struct bpfaot_map_header* header, void* data, const void* key,
                               const void* value, uint64_t flags, uint64_t who) {
  return update(rt_map_of_header(header, data), RT_MAP_HASH, key, value, flags, who);
}

RT_SLOW int64_t rt_hash_update_form(const struct bpfaot_map_header* header, void* data,
                                    const void* key, const void* value, uint64_t flags,
                                    uint64_t who) {
  return update(rt_map_of_header(header, data), header->type, key, value, flags, who);
}

RT_SLOW int64_t rt_hash_delete(const struct bpfaot_map_header* header, void* data,
                               const void* key) {
  struct rt_map m = rt_map_of_header(header, data);
  uint64_t hash = rt_hash_key(key, m.key_size);
  struct position at;
  for (uint32_t i = 0; i < kRestarts; i++) {
    if (!find(m, hash, key, &at))
      break;
    if (!at.index)
      return -RT_ENOENT;
    struct rt_hash_element* e = element_at(m, at.index);
    note_room(m);
    uint32_t next = rt_link_index(at.next);
    if (!rt_cas64(&e->next, at.next, link_to(at.next, next) | RT_LINK_MARK))
      continue;
    if (rt_cas64(at.link, at.word, link_to(at.word, next)))
      retire(m, at.index, at.state);
    else
      find(m, hash, NULL, &at); /* unlinks it, unless somebody else has */
    return 0;
  }
  return -RT_EBUSY;
}

/* Copies the key of element `index` if it is in the map. */
static bool copy_live_key(struct rt_map m, uint32_t index, uint8_t* to) {
  struct rt_hash_element* e = element_at(m, index);
  uint64_t words[64];
  uint64_t state = rt_load_acquire(&e->state);
  if (kind_of(state) == RT_HASH_FREE || (kind_of(state) & RT_HASH_DELETED))
    return false;
  for (uint32_t i = 0; i < rt_key_words(m.key_size) && i < 64; i++)
    words[i] = rt_load(&e->key[i]);
  uint64_t next = rt_load_acquire(&e->next);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (!same_life(rt_load(&e->state), state))
    return false;
  if (kind_of(state) & RT_HASH_ALLOCATED) { /* not linked yet, or just linked */
    struct position at;
    if (!find(m, hash_of_element(m, e), words, &at) || at.index != index)
      return false;
  } else if (rt_link_marked(next)) {
    return false;
  }
  uint32_t whole = m.key_size / 8;
  for (uint32_t i = 0; i < whole && i < 64; i++)
    __builtin_memcpy(to + 8 * i, &words[i], 8);
  for (uint32_t i = 8 * whole; i < m.key_size; i++)
    to[i] = (uint8_t)(words[whole] >> 8 * (i - 8 * whole));
  return true;
}

RT_SLOW uint32_t rt_hash_next_live(const struct bpfaot_map_header* header, void* data,
                                   uint32_t after, void* key) {
  struct rt_map m = rt_map_of_header(header, data);
  uint32_t used = rt_load(&head_of(m)->used);
  for (uint32_t i = after + 1; i <= used && i <= m.max_entries; i++)
    if (copy_live_key(m, i, (uint8_t*)key))
      return i;
  return 0;
}

/* In order of element indexes: touches only elements that were ever used. An unknown key starts
 * from the first, as in the kernel. */
int64_t rt_hash_next_key(const struct bpfaot_map_header* header, void* data, const void* key,
                         void* next) {
  struct rt_map m = rt_map_of_header(header, data);
  struct position at = {.index = 0};
  if (key && !find(m, rt_hash_key(key, m.key_size), key, &at))
    at.index = 0;
  return rt_hash_next_live(header, data, at.index, next) ? 0 : -RT_ENOENT;
}
