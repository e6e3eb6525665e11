/* SPDX-License-Identifier: MIT
 *
 * Hash map and its per-CPU and LRU forms: layout, hash function and the lookup that inlines into
 * programs. How it all holds together is explained at the top of hash.c.
 */
#pragma once

#include "minirt/rt.h"

enum {                       /* indexes into aux */
       RT_HASH_MASK = 0,     /* buckets - 1 */
       RT_HASH_BUCKETS = 1,  /* offset of the bucket words in the data */
       RT_HASH_ELEMENTS = 2, /* offset of element 1 */
       RT_HASH_STRIDE = 3,   /* bytes of an element */
       RT_HASH_VALUE = 4,    /* offset of the value in an element; per CPU: of all values */
       RT_HASH_SPARES = 5,   /* offset of the links of the stack of free elements, uint32_t each;
                                LRU: then a byte for each element, set when it is used */
};

struct rt_hash_head { /* at the start of the data; zero is the empty map */
  uint64_t spare;     /* hint: stack of free elements, version << 32 | index */
  uint64_t reserved0[7];
  uint32_t used; /* elements that were ever handed out: the first `used` */
  uint32_t reserved1[15];
  uint32_t full;    /* RT_HASH_FULL_* */
  uint32_t refused; /* inserts refused since */
  uint64_t hand;    /* LRU: where the search for an unused element goes on */
  uint64_t reserved2[6];
};

/* An element, 8-aligned; the key follows, padded with zeros to 8, then the value. */
struct rt_hash_element {
  uint64_t next;  /* link word */
  uint64_t state; /* version << 32 | kind and owner */
  uint64_t key[];
};

/* Link word: version << 32 | mark << 31 | index of an element, 0 = end. Every change of a link word
 * makes its version one more. The mark, in an element's own `next`, says: deleted. */
#define RT_LINK_MARK 0x80000000u
RT_INLINE uint32_t rt_link_index(uint64_t word) {
  return (uint32_t)word & ~RT_LINK_MARK;
}
RT_INLINE bool rt_link_marked(uint64_t word) {
  return (uint32_t)word & RT_LINK_MARK;
}

RT_INLINE uint32_t rt_key_words(uint32_t key_size) {
  return (key_size + 7) / 8;
}

/* Word i of a key, the last one padded with zeros. Keys come from the program's stack or from map
 * memory, at any alignment. */
RT_INLINE uint64_t rt_key_word(const void* key, uint32_t key_size, uint32_t i) {
  const uint8_t* p = (const uint8_t*)key + 8 * i;
  uint32_t left = key_size - 8 * i;
  uint64_t word = 0;
  if (left >= 8) {
    __builtin_memcpy(&word, p, 8);
    return word;
  }
  uint32_t at = 0;
  if (left & 4) {
    word = rt_load_u32(p);
    at = 4;
  }
  if (left & 2) {
    uint16_t half;
    __builtin_memcpy(&half, p + at, 2);
    word |= (uint64_t)half << 8 * at;
    at += 2;
  }
  if (left & 1)
    word |= (uint64_t)p[at] << 8 * at;
  return word;
}

/* One 64x64 -> 128 multiplication per word, high half folded onto the low one: the low bits, which
 * choose the bucket, then depend on all bits of the key. Constants are odd digits of pi. Words of a
 * key are read once each, so a key in shared memory that changes meanwhile is merely some key. */
RT_INLINE uint64_t rt_hash_step(uint64_t hash, uint64_t word) {
  unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9216d5d98979fb1bu;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

RT_INLINE uint64_t rt_hash_key(const void* key, uint32_t key_size) {
  uint64_t hash = 0x243f6a8885a308d3u;
  for (uint32_t i = 0; i < rt_key_words(key_size); i++)
    hash = rt_hash_step(hash, rt_key_word(key, key_size, i));
  return hash;
}

RT_INLINE uint64_t* rt_hash_bucket(struct rt_map m, uint64_t hash) {
  return (uint64_t*)(m.data + m.header->aux[RT_HASH_BUCKETS]) +
         (hash & m.header->aux[RT_HASH_MASK]);
}

RT_INLINE bool rt_is_per_cpu_hash(uint32_t type) {
  return type == RT_MAP_PERCPU_HASH || type == RT_MAP_LRU_PERCPU_HASH;
}
RT_INLINE bool rt_is_lru(uint32_t type) {
  return type == RT_MAP_LRU_HASH || type == RT_MAP_LRU_PERCPU_HASH;
}
RT_INLINE bool rt_is_hash(uint32_t type) {
  return type == RT_MAP_HASH || rt_is_per_cpu_hash(type) || rt_is_lru(type) ||
         type == RT_MAP_HASH_OF_MAPS;
}

RT_INLINE uint32_t rt_hash_value_offset(struct rt_map m) {
  return (uint32_t)sizeof(struct rt_hash_element) + rt_round_up8(m.key_size);
}

RT_INLINE struct rt_hash_element* rt_hash_element(struct rt_map m, uint32_t index) {
  uint64_t stride =
      rt_hash_value_offset(m) + (rt_is_per_cpu_hash(m.type) ? 0 : (uint64_t)m.elem_size);
  return (struct rt_hash_element*)(m.data + m.header->aux[RT_HASH_ELEMENTS] + (index - 1) * stride);
}

/* Values of one CPU slot are together, and begin on a cache line of their own. */
RT_INLINE uint64_t rt_hash_cpu_stride(struct rt_map m) {
  return ((uint64_t)m.max_entries * m.elem_size + 63) & ~(uint64_t)63;
}

RT_INLINE uint8_t* rt_hash_value(struct rt_map m, uint32_t index, uint32_t cpu) {
  if (rt_is_per_cpu_hash(m.type))
    return m.data + m.header->aux[RT_HASH_VALUE] + cpu * rt_hash_cpu_stride(m) +
           (index - 1) * (uint64_t)m.elem_size;
  return (uint8_t*)rt_hash_element(m, index) + rt_hash_value_offset(m);
}

/* Tells the LRU forms that an element is used. Mostly it is known, and the line stays shared. */
RT_INLINE uint8_t* rt_hash_used_mark(struct rt_map m, uint32_t index) {
  return m.data + m.header->aux[RT_HASH_SPARES] + 4 * (uint64_t)m.max_entries + (index - 1);
}
RT_INLINE void rt_hash_touch(struct rt_map m, uint32_t index) {
  if (!rt_is_lru(m.type))
    return;
  uint8_t* mark = rt_hash_used_mark(m, index);
  if (!rt_load(mark))
    rt_store(mark, (uint8_t)1);
}

RT_INLINE bool rt_hash_key_equals(const struct rt_hash_element* e, const void* key, uint32_t size) {
  uint64_t difference = 0;
  for (uint32_t i = 0; i < rt_key_words(size); i++)
    difference |= rt_load(&e->key[i]) ^ rt_key_word(key, size, i);
  return difference == 0;
}

/* Index of the element with this key, or 0. The walk goes on at `link`, which holds `word`, or begins
 * where that is null. */
RT_SLOW uint32_t rt_hash_find(const struct bpfaot_map_header* header, void* data, const void* key,
                              const uint64_t* link, uint64_t word);
/* That without `form` is for plain hashes only, whose images need not carry what the other forms do.
 * `who` is CPU slot << 32 | tid. */
RT_SLOW int64_t rt_hash_update(const struct bpfaot_map_header* header, void* data, const void* key,
                               const void* value, uint64_t flags, uint64_t who);
RT_SLOW int64_t rt_hash_update_form(const struct bpfaot_map_header* header, void* data,
                                    const void* key, const void* value, uint64_t flags,
                                    uint64_t who);
RT_SLOW int64_t rt_hash_delete(const struct bpfaot_map_header* header, void* data, const void* key);
/* Frees an element that we held BUSY and that was deleted meanwhile. */
RT_COLD void rt_hash_release_deleted(const struct bpfaot_map_header* header, void* data,
                                     struct rt_hash_element* e, uint64_t busy);
/* The element after element `after` (0: the first) that is in the map, its key copied; 0 at the end. */
RT_SLOW uint32_t rt_hash_next_live(const struct bpfaot_map_header* header, void* data,
                                   uint32_t after, void* key);
int64_t rt_hash_next_key(const struct bpfaot_map_header* header, void* data, const void* key,
                         void* next);

enum { /* low half of a state word */
       RT_HASH_FREE = 0,
       RT_HASH_LIVE = 1,
       RT_HASH_ALLOCATED = 1 << 30,
       RT_HASH_BUSY = 1 << 29,
       RT_HASH_DELETED = 1 << 28,
       RT_HASH_OWNER = (1 << 28) - 1, /* tids are below 2^22 */
};

RT_INLINE uint64_t rt_hash_with_kind(uint64_t state, uint32_t kind) {
  return (state & ~(uint64_t)UINT32_MAX) | kind;
}

enum rt_hash_quick { RT_HASH_FOUND, RT_HASH_ABSENT, RT_HASH_UNCLEAR };

struct rt_hash_step { /* of the walk of hash.c */
  uint64_t* link;     /* to the next element; null: somebody else changes something, begin again */
  uint64_t word;      /* in link */
  uint32_t index;     /* of the element looked at */
  uint64_t state;
};

/* The first step of the walk of hash.c. UNCLEAR: `at` is where it goes on. */
RT_INLINE enum rt_hash_quick rt_hash_first(struct rt_map m, const void* key,
                                           struct rt_hash_step* at) {
  const uint64_t* bucket = rt_hash_bucket(m, rt_hash_key(key, m.key_size));
  uint64_t head = rt_load_acquire(bucket);
  at->link = NULL;
  at->word = 0;
  at->index = rt_link_index(head);
  if (!at->index)
    return RT_HASH_ABSENT;
  if (rt_unlikely(at->index > m.max_entries))
    return RT_HASH_UNCLEAR;
  struct rt_hash_element* e = rt_hash_element(m, at->index);
  uint64_t next = rt_load_acquire(&e->next);
  at->state = rt_load(&e->state);
  bool equal = rt_hash_key_equals(e, key, m.key_size);
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (rt_unlikely(rt_load(bucket) != head || rt_link_marked(next)))
    return RT_HASH_UNCLEAR;
  if (equal)
    return RT_HASH_FOUND;
  if (!rt_link_index(next))
    return RT_HASH_ABSENT;
  at->link = &e->next;
  at->word = next;
  return RT_HASH_UNCLEAR;
}

/* Only the first step is part of programs: most buckets have no second element, and a loop takes longer
 * to compile than everything else here.
 * `touch`: it is a program that looks, which is what an LRU map counts as use. */
RT_INLINE void* rt_hash_lookup(struct rt_map m, const void* key, uint32_t cpu, bool touch) {
  struct rt_hash_step at;
  enum rt_hash_quick quick = rt_hash_first(m, key, &at);
  if (quick == RT_HASH_ABSENT)
    return NULL;
  if (quick == RT_HASH_UNCLEAR) {
    at.index = rt_hash_find(m.header, m.data, key, at.link, at.word);
    if (!at.index)
      return NULL;
  }
  if (touch)
    rt_hash_touch(m, at.index);
  return rt_hash_value(m, at.index, cpu);
}

/* Overwriting the value of the first element of a bucket in the undisturbed case. False: nothing is done,
 * or it is not known whether the key still exists; rt_hash_update tells. */
RT_INLINE bool rt_hash_quick_overwrite(struct rt_map m, const void* key, const void* value,
                                       uint32_t cpu, uint32_t tid) {
  struct rt_hash_step at;
  if (rt_hash_first(m, key, &at) != RT_HASH_FOUND || (uint32_t)at.state != RT_HASH_LIVE)
    return false;
  struct rt_hash_element* e = rt_hash_element(m, at.index);
  uint8_t* to = rt_hash_value(m, at.index, cpu);
  uint64_t busy = rt_hash_with_kind(at.state, RT_HASH_BUSY | tid);
  if (rt_unlikely(!rt_cas64(&e->state, at.state, busy)))
    return false;
  bool marked = rt_link_marked(rt_load_acquire(&e->next));
  if (rt_likely(!marked)) {
    rt_hash_touch(m, at.index);
    rt_copy_value(to, value, m.value_size);
  }
  if (rt_unlikely(!rt_cas64(&e->state, busy, at.state)))
    rt_hash_release_deleted(m.header, m.data, e, busy);
  return !marked;
}
