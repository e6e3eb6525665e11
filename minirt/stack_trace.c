/* SPDX-License-Identifier: MIT
 *
 * Stacks of the probed thread, by frame pointers, and the map that keeps each of them once.
 *
 * The walk. The first address is the probe's own. At a function's entry (the site says so) the
 * caller's is next, from where a call has put it. Then the chain of frame records: each holds the
 * frame pointer of its caller and a return address. Nothing about the chain is known to be true, so
 * records are read as probe_read reads, in pieces that stay within a page: a record elsewhere than in
 * the page we run on costs a system call per KiB of stack. A chain ends where a record cannot be
 * read, or where the kernel of the machine would end it (RT_FRAME_MASK, RT_FRAME_RISES: x86 follows
 * any chain); so both see the same stacks, whatever is behind the first function of a thread.
 *
 * A return probe has put the address of its return point where the true one was. Such an address
 * lies in the trampolines (site.ranges); the true one is in the shadow frame of the innermost call whose
 * stack pointer lies above the record, and frames are taken in order from the innermost on. A frame
 * that a longjmp left behind lies below and is passed over. A tail call of one return-probed function
 * from another makes the true address again a return point; then the next frame has it.
 *
 * The map. A stack's id is its hash (jhash of the kernel, so that ids are equal) modulo the number of
 * buckets, which is max_entries rounded up to a power of two. A bucket word is {version, element};
 * elements come from a pool (pool.h) of max_entries. A new stack is written into a free element and
 * swapped into the bucket; the one that was there goes back to the pool. Reading a bucket: the word,
 * the element, an acquire fence, the word again: unchanged means that the element was in place while
 * it was read. So there is no lock, whoever dies leaves at most an element that the pool's sweep finds
 * (its place is its id, so the bucket tells), and a handler may do all of this in the middle.
 */
#include "minirt/stack_trace.h"
#include "minirt/helpers.h"
#include "minirt/probe_read.h"

enum { kSkip = 0xff, kUser = 1 << 8, kFastCompare = 1 << 9, kReuse = 1 << 10 };
enum { kPage = 4096, kPiece = 1024, kAttempts = 1 << 10 };

/* ---- the walk ---- */

struct window { /* a piece of the stack */
  uint64_t base, size;
  uint8_t bytes[kPiece];
};

/* The 8 bytes at `at`, aligned or not; what follows in the same page comes with them. */
static bool read_word(struct window* w, uint64_t at, uint64_t* word) {
  if (at < w->base || at - w->base + 8 > w->size) {
    uint64_t left = kPage - (at & (kPage - 1));
    w->base = at;
    w->size = left < 8 ? 8 : left < kPiece ? left : kPiece;
    if (rt_probe_read(w->bytes, w->size, at) != 0) {
      w->size = 0;
      return false;
    }
  }
  __builtin_memcpy(word, w->bytes + (at - w->base), 8);
  return true;
}

struct walk {
  const struct bpfaot_site* site;
  const struct bpfaot_thread* thread;
  uint32_t frame; /* shadow frames below this number are still to be met */
  uint64_t* out;
  uint32_t skip, most, count; /* `count` includes those skipped */
};

static bool is_return_point(const struct bpfaot_site* site, uint64_t address) {
  const struct bpfaot_code_ranges* r =
      site ? (const struct bpfaot_code_ranges*)site->ranges : NULL;
  for (uint64_t i = 0; r && i < r->count && i < 64; i++) {
    if (address - r->range[i].low < r->range[i].high - r->range[i].low)
      return true;
  }
  return false;
}

/* The return address of a call whose stack pointer was at `low` or above. */
static uint64_t true_address(struct walk* w, uint64_t address, uint64_t low) {
  while (w->thread && w->frame && is_return_point(w->site, address)) {
    const struct bpfaot_frame* frame = &w->thread->frames[--w->frame];
    if (rt_load(&frame->sp) >= low)
      address = rt_load(&frame->return_address);
  }
  return address;
}

static void add(struct walk* w, uint64_t address) {
  if (w->count >= w->skip)
    w->out[w->count - w->skip] = address;
  w->count++;
}

static uint64_t reg(const void* ctx, int32_t offset) {
  uint64_t value;
  __builtin_memcpy(&value, (const uint8_t*)ctx + offset, 8);
  return value;
}

/* Number of addresses in `out`; -EFAULT when there are fewer than are to be skipped. */
static int64_t walk_stack(const rt_env* env, const void* ctx, uint64_t* out, uint32_t room,
                          uint64_t flags) {
  if (!(flags & kUser))
    return -RT_EFAULT; /* a process has no kernel stack of its own to show */
  struct walk w = {env->site, env->thread ? env->thread : rt_current_thread(), 0, out,
                   (uint32_t)(flags & kSkip), 0, 0};
  w.most = room + w.skip < RT_STACK_MOST ? room + w.skip : RT_STACK_MOST;
  if (w.thread) {
    uint32_t depth = rt_load(&w.thread->depth);
    w.frame = depth < BPFAOT_FRAMES ? depth : BPFAOT_FRAMES;
  }
  struct window window;
  window.base = window.size = 0;
  uint64_t low = reg(ctx, RT_REGS_SP), fp = reg(ctx, RT_REGS_FP), address;
  if (w.most)
    add(&w, reg(ctx, RT_REGS_IP));
  if (w.count < w.most && env->site && (env->site->flags & BPFAOT_SITE_ENTRY)) {
    if (RT_REGS_LINK >= 0)
      add(&w, true_address(&w, reg(ctx, RT_REGS_LINK), low));
    else if (read_word(&window, low, &address))
      add(&w, true_address(&w, address, low));
  }
  while (w.count < w.most) {
    uint64_t next;
    if ((fp & RT_FRAME_MASK) || !read_word(&window, fp + RT_FRAME_NEXT, &next) ||
        !read_word(&window, fp + RT_FRAME_RETURN, &address))
      break;
    add(&w, true_address(&w, address, fp));
    if (RT_FRAME_RISES && next <= fp)
      break;
    fp = next;
  }
  return w.count < w.skip ? -RT_EFAULT : (int64_t)(w.count - w.skip);
}

/* ---- the map ---- */

RT_INLINE uint64_t* bucket_of(struct rt_map m, uint32_t id) {
  return (uint64_t*)(m.data + m.header->aux[RT_STACK_BUCKETS]) +
         (id & m.header->aux[RT_STACK_MASK]);
}
RT_INLINE struct rt_pool pool_of(struct rt_map m) {
  struct rt_pool p = {(struct rt_pool_head*)m.data, m.data + m.header->aux[RT_STACK_ELEMENTS],
                      (uint32_t*)(m.data + m.header->aux[RT_STACK_LINKS]),
                      m.header->aux[RT_STACK_STRIDE], m.max_entries};
  return p;
}
RT_INLINE struct rt_stack_element* element_at(struct rt_map m, uint32_t index) {
  return (struct rt_stack_element*)rt_pool_at(pool_of(m), index);
}

static bool is_in_place(struct rt_map m, uint32_t index) {
  uint64_t id = rt_load(&element_at(m, index)->pool.place);
  return (uint32_t)rt_load_acquire(bucket_of(m, (uint32_t)id)) == index;
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

/* jhash2() of the kernel over 32-bit words, by Bob Jenkins (lookup3). */
static uint32_t hash_words(const uint32_t* k, uint32_t length) {
  uint32_t a = 0xdeadbeef + (length << 2), b = a, c = a;
  for (; length > 3; length -= 3, k += 3) {
    a += k[0], b += k[1], c += k[2];
    a -= c, a ^= ROTATE(c, 4), c += b;
    b -= a, b ^= ROTATE(a, 6), a += c;
    c -= b, c ^= ROTATE(b, 8), b += a;
    a -= c, a ^= ROTATE(c, 16), c += b;
    b -= a, b ^= ROTATE(a, 19), a += c;
    c -= b, c ^= ROTATE(b, 4), b += a;
  }
  if (!length)
    return c;
  a += k[0];
  b += length > 1 ? k[1] : 0;
  c += length > 2 ? k[2] : 0;
  c ^= b, c -= ROTATE(b, 14);
  a ^= c, a -= ROTATE(c, 11);
  b ^= a, b -= ROTATE(a, 25);
  c ^= b, c -= ROTATE(b, 16);
  a ^= c, a -= ROTATE(c, 4);
  b ^= a, b -= ROTATE(a, 14);
  c ^= b, c -= ROTATE(b, 24);
  return c;
}

static bool is_same(const struct rt_stack_element* e, const uint64_t* pcs, uint32_t count) {
  if (rt_load(&e->count) != count)
    return false;
  uint64_t difference = 0;
  for (uint32_t i = 0; i < count; i++)
    difference |= rt_load(&e->pcs[i]) ^ pcs[i];
  return difference == 0;
}

static void fill(struct rt_map m, uint32_t index, uint32_t id, uint32_t hash, const uint64_t* pcs,
                 uint32_t count) {
  struct rt_stack_element* e = element_at(m, index);
  rt_store(&e->pool.place, (uint64_t)id);
  rt_store(&e->hash, hash);
  rt_store(&e->count, count);
  for (uint32_t i = 0; i < m.value_size / 8; i++)
    rt_store(&e->pcs[i], i < count ? pcs[i] : 0);
}

/* The answers, and their order, are those of __bpf_get_stackid() in the kernel. */
static int64_t keep(struct rt_map m, const uint64_t* pcs, uint32_t count, uint64_t flags,
                    uint32_t tid) {
  struct rt_pool pool = pool_of(m);
  uint32_t hash = hash_words((const uint32_t*)(const void*)pcs, count * 2);
  uint32_t id = hash & (uint32_t)m.header->aux[RT_STACK_MASK], mine = 0;
  uint64_t* bucket = bucket_of(m, id);
  uint64_t state = 0;
  int64_t result = -RT_EBUSY;
  for (uint32_t i = 0; i < kAttempts; i++) {
    uint64_t word = rt_load_acquire(bucket);
    uint32_t there = (uint32_t)word;
    uint64_t seen = 0;
    if (rt_pool_valid(pool, there)) {
      const struct rt_stack_element* e = element_at(m, there);
      seen = rt_load(&e->pool.state);
      bool found = rt_load(&e->hash) == hash &&
                   ((flags & kFastCompare) || is_same(e, pcs, count));
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (rt_load(bucket) != word)
        continue;
      if (found || !(flags & kReuse)) {
        result = found ? (int64_t)id : -RT_EEXIST;
        break;
      }
    }
    if (!mine) {
      mine = rt_pool_allocate(pool, m, tid, &state, is_in_place);
      if (!mine) {
        result = -RT_ENOMEM;
        break;
      }
      fill(m, mine, id, hash, pcs, count);
    }
    if (!rt_cas64(bucket, word, ((word >> 32) + 1) << 32 | mine))
      continue;
    rt_pool_settle(pool, mine, state);
    if (rt_pool_valid(pool, there))
      rt_pool_release(pool, there, seen);
    return id;
  }
  if (mine)
    rt_pool_release(pool, mine, state);
  return result;
}

void* rt_stack_lookup(struct rt_map m, uint32_t id) {
  if (id > m.header->aux[RT_STACK_MASK])
    return NULL;
  uint32_t index = (uint32_t)rt_load_acquire(bucket_of(m, id));
  return rt_pool_valid(pool_of(m), index) ? element_at(m, index)->pcs : NULL;
}

int rt_stack_delete(struct rt_map m, uint32_t id) {
  if (id > m.header->aux[RT_STACK_MASK])
    return -RT_E2BIG;
  uint64_t* bucket = bucket_of(m, id);
  for (uint32_t i = 0; i < kAttempts; i++) {
    uint64_t word = rt_load_acquire(bucket);
    uint32_t index = (uint32_t)word;
    if (!index)
      return -RT_ENOENT;
    bool valid = rt_pool_valid(pool_of(m), index);
    uint64_t seen = valid ? rt_load(&element_at(m, index)->pool.state) : 0;
    if (!rt_cas64(bucket, word, ((word >> 32) + 1) << 32))
      continue;
    if (valid)
      rt_pool_release(pool_of(m), index, seen);
    return 0;
  }
  return -RT_EBUSY;
}

int rt_stack_next_id(struct rt_map m, const void* id_or_null, void* next) {
  uint64_t mask = m.header->aux[RT_STACK_MASK], id = 0;
  if (id_or_null && rt_stack_lookup(m, rt_load_u32(id_or_null)))
    id = (uint64_t)rt_load_u32(id_or_null) + 1;
  for (; id <= mask; id++) {
    if (!rt_stack_lookup(m, (uint32_t)id))
      continue;
    uint32_t found = (uint32_t)id;
    __builtin_memcpy(next, &found, 4);
    return 0;
  }
  return -RT_ENOENT;
}

/* ---- helpers ---- */

static RT_SLOW int64_t get_stackid(const rt_env* env, const void* ctx,
                                   const struct bpfaot_map_slot* slot, uint64_t flags) {
  if (flags & ~(uint64_t)(kSkip | kUser | kFastCompare | kReuse))
    return -RT_EINVAL;
  struct rt_map m = rt_map_of_header((const struct bpfaot_map_header*)slot->header,
                                     (void*)slot->data);
  uint64_t pcs[RT_STACK_MOST];
  int64_t count = walk_stack(env, ctx, pcs, m.value_size / 8, flags);
  if (count <= 0)
    return -RT_EFAULT;
  return keep(m, pcs, (uint32_t)count, flags, rt_owner(env));
}

RT_HELPER uint64_t __bpfaot_rt_get_stackid(rt_env* env, void* ctx, rt_desc* map, uint64_t flags) {
  return (uint64_t)get_stackid(env, ctx, &__bpfaot_rt.maps[map->slot], flags);
}

/* Bytes written, the rest is zero; all of it after an error. */
static RT_SLOW int64_t get_stack(const rt_env* env, const void* ctx, void* to, uint64_t size,
                                 uint64_t flags) {
  uint64_t pcs[RT_STACK_MOST];
  int64_t count = -RT_EINVAL;
  if (!(flags & ~(uint64_t)(kSkip | kUser)) && size % 8 == 0)
    count = walk_stack(env, ctx, pcs, size / 8 < RT_STACK_MOST ? (uint32_t)(size / 8) : RT_STACK_MOST,
                       flags);
  uint64_t bytes = count > 0 ? (uint64_t)count * 8 : 0;
  __builtin_memcpy(to, pcs, bytes);
  __builtin_memset((uint8_t*)to + bytes, 0, size - bytes);
  return count < 0 ? count : (int64_t)bytes;
}

RT_HELPER uint64_t __bpfaot_rt_get_stack(rt_env* env, void* ctx, void* to, uint64_t size,
                                         uint64_t flags) {
  return (uint64_t)get_stack(env, ctx, to, size, flags);
}
