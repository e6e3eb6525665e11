/* SPDX-License-Identifier: MIT
 *
 * The rare paths of return probes, run inside the target: the same C for every machine, compiled
 * by targets/ARCH/support.c behind its support_arch.h. This is never called where it is linked: the
 * loader copies the section `bpfaot_support` into each arena, BPFAOT_ARENA_SUPPORT bytes behind its
 * struct bpfaot_arena. So: no libc, no data, no reference outside the section, no vector registers;
 * every reference is relative to the instruction pointer.
 *
 * The shadow stack of a thread (struct bpfaot_thread) has one frame per probed call that has not
 * returned. The true return address lives only there, so the rule above all others is: a frame
 * that may be live is never dropped. A frame's `sp` says what it is:
 *   0                 reserved: its owner has counted it in `depth` and has not filled it yet (a
 *                     signal came in between), or a slot above `depth`
 *   1                 taken by another thread (a coroutine returned there): dead
 *   anything else     the stack pointer at the function's entry; live, or left behind by longjmp
 *                     and the like. Where calls push the return address (SUPPORT_LINK_REGISTER is
 *                     0) it was there; elsewhere the word carries more, see support_link.h
 * Frames need not be in order of sp: coroutines and alternate signal stacks interleave. A frame
 * that was left behind is recognised by one of:
 *   - both its sp and the current sp lie on the first thread's stack, and it is lower;
 *   - on machines that push: its sp is the current one, and what the caller left there is not ours;
 *     or its sp is lower, in the same page (so reading it is safe), and no address of ours is there;
 *   - with a link register: what support_link.h says.
 * What cannot be told stays until the table is full; then returns are counted as missed.
 *
 * Signals: a handler on the same thread may run any of this between any two instructions. It
 * leaves depth as it found it or trims dead frames; reserved frames stop trimming. Therefore: bump
 * depth by one atomic step, then fill; clear sp, then lower depth.
 */
#pragma once

#include "bpfaot/abi.h"
#include "targets/arena.h"

#ifndef SUPPORT_HASH_FACTOR /* where compilers would read it from memory, it has another form */
#define SUPPORT_HASH_FACTOR 0x9e3779b97f4a7c15ull
#endif

enum { kReserved = 0, kTaken = 1 };

INLINE uint64_t thread_key(void) {
  const uint64_t key = support_thread_pointer(support_arena());
  return key != 0 ? key : 1; /* as abi.h says: 0 marks a free slot */
}

INLINE int is_ours(uint64_t address) {
  const struct bpfaot_arena *a = support_arena();
  for (uint64_t i = 0; i < a->range_count; ++i) {
    if (address - a->ranges[i].low < a->ranges[i].high - a->ranges[i].low) {
      return 1;
    }
  }
  return 0;
}

INLINE int on_main_stack(uint64_t sp) {
  const struct bpfaot_range *r = &support_arena()->main_stack;
  return sp - r->low < r->high - r->low;
}

INLINE void count_missed(uint64_t how_many) {
  struct bpfaot_process *process = (struct bpfaot_process *)support_arena()->process;
  __atomic_fetch_add(&process->missed_returns, how_many, __ATOMIC_RELAXED);
}

INLINE struct bpfaot_thread *slot_at(const struct bpfaot_thread_table *table, uint64_t index) {
  return (struct bpfaot_thread *)(table->base + index * table->stride);
}

/* The thread's slot; claims one when `claim` is set. The hash is the one abi.h states. */
INLINE struct bpfaot_thread *find_thread(uint64_t key, int claim) {
  struct bpfaot_thread_table *table = (struct bpfaot_thread_table *)support_arena()->table;
  const uint64_t capacity = 1ull << table->capacity_log2;
  uint64_t index = ((key >> 6) * SUPPORT_HASH_FACTOR) >> (64 - table->capacity_log2);
  for (uint64_t step = 0; step < capacity; ++step, index = (index + 1) & (capacity - 1)) {
    struct bpfaot_thread *thread = slot_at(table, index);
    uint64_t seen = __atomic_load_n(&thread->key, __ATOMIC_ACQUIRE);
    if (seen == 0 && claim) {
      if (__atomic_compare_exchange_n(&thread->key, &seen, key, 0, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
        __atomic_fetch_add(&table->used, 1, __ATOMIC_RELAXED);
        seen = key;
      }
    }
    if (seen == key) {
      return thread;
    }
    if (seen == 0) {
      return 0;
    }
  }
  return 0;
}

/* A word of another part of this process that may not be there. */
INLINE int read_word(uint64_t from, uint64_t *word) {
  struct {
    uint64_t base, length;
  } local = {(uint64_t)word, 8}, remote = {from, 8};
  long pid = support_syscall6(SUPPORT_NR_getpid, 0, 0, 0, 0, 0, 0);
  return support_syscall6(SUPPORT_NR_process_vm_readv, pid, (long)&local, 1, (long)&remote, 1,
                          0) == 8;
}

INLINE uint32_t depth_of(const struct bpfaot_thread *thread) {
  const uint32_t depth = *(const volatile uint32_t *)&thread->depth;
  return depth < BPFAOT_FRAMES ? depth : BPFAOT_FRAMES;
}

/* Of the frame on top, which is known to be dead. */
INLINE void drop_top(struct bpfaot_thread *thread) {
  const uint32_t depth = thread->depth;
  *(volatile uint64_t *)&thread->frames[depth - 1].sp = kReserved;
  *(volatile uint32_t *)&thread->depth = depth - 1;
}

#if SUPPORT_LINK_REGISTER
#include "targets/support_link.h"
#else

INLINE uint64_t sp_of(uint64_t mark) {
  return mark;
}

INLINE int is_same_call(uint64_t found, uint64_t mark) {
  return found == mark;
}

INLINE int is_dead(const struct bpfaot_frame *frame, uint64_t sp) {
  const uint64_t theirs = frame->sp;
  if (theirs == kReserved) {
    return 0;
  }
  if (theirs == kTaken) {
    return 1;
  }
  if (theirs > sp) {
    return 0;
  }
  if (theirs == sp) {
    return !is_ours(*(const uint64_t *)sp);
  }
  if (on_main_stack(theirs) && on_main_stack(sp)) {
    return 1;
  }
  return (theirs & ~4095ull) == (sp & ~4095ull) && !is_ours(*(const uint64_t *)theirs);
}

INLINE void drop_repeated(struct bpfaot_thread *thread, uint64_t sp, uint64_t link) {
  (void)thread, (void)sp, (void)link; /* is_dead has seen it */
}

/* Puts the true return addresses of the thread's live calls back; how many. */
INLINE uint64_t release_frames(struct bpfaot_thread *thread, uint64_t sp, uint64_t *registers) {
  (void)registers;
  const int main_stack = on_main_stack(sp);
  uint64_t released = 0;
  for (uint32_t i = depth_of(thread); i-- > 0;) {
    volatile struct bpfaot_frame *frame = &thread->frames[i];
    const uint64_t at = frame->sp;
    if (at == kReserved || at == kTaken || (at < sp && main_stack)) {
      continue;
    }
    uint64_t word = 0;
    const int sure = (main_stack && on_main_stack(at)) || !support_arena()->may_call_system;
    if (sure) {
      word = *(const volatile uint64_t *)at;
    } else if (!read_word(at, &word)) {
      continue;
    }
    if (is_ours(word)) {
      *(volatile uint64_t *)at = frame->return_address;
      frame->sp = kTaken;
      ++released;
    }
  }
  return released;
}
#endif

INLINE void trim(struct bpfaot_thread *thread, uint64_t sp) {
  while (thread->depth > 0 && thread->depth <= BPFAOT_FRAMES &&
         is_dead(&thread->frames[thread->depth - 1], sp)) {
    drop_top(thread);
  }
}

/* `mark` is what the frame's sp will be. 1: a frame is pushed, the call must go through; 0: run the
 * function as if nothing were there. */
SUPPORT uint64_t bpfaot_push_slow(uint64_t mark, uint64_t link) {
  struct bpfaot_thread *thread = find_thread(thread_key(), 1);
  if (thread == 0) {
    count_missed(1);
    return 0;
  }
  /* The fast path compares the frame below the first one too: make it greater than any sp. */
  *((volatile uint64_t *)thread->frames - 1) = ~0ull;
  trim(thread, sp_of(mark));
  drop_repeated(thread, sp_of(mark), link);
  const uint32_t index = __atomic_fetch_add(&thread->depth, 1, __ATOMIC_RELAXED);
  if (index >= BPFAOT_FRAMES) {
    __atomic_fetch_sub(&thread->depth, 1, __ATOMIC_RELAXED);
    count_missed(1);
    return 0;
  }
  volatile struct bpfaot_frame *frame = &thread->frames[index];
  frame->return_address = link;
  frame->sp = mark;
  return 1;
}

INLINE uint64_t take_own(struct bpfaot_thread *thread, uint64_t mark) {
  for (uint32_t i = depth_of(thread); i-- > 0;) {
    volatile struct bpfaot_frame *frame = &thread->frames[i];
    if (!is_same_call(frame->sp, mark)) {
      continue;
    }
    const uint64_t address = frame->return_address;
    frame->sp = kTaken;
    trim(thread, sp_of(mark)); /* what lies above was left behind; then this one */
    return address;
  }
  return 0;
}

/* The true return address of the probed call that was pushed with `mark`. */
SUPPORT uint64_t bpfaot_pop_slow(uint64_t mark) {
  struct bpfaot_thread *thread = find_thread(thread_key(), 0);
  uint64_t address = thread ? take_own(thread, mark) : 0;
  if (address != 0) {
    return address;
  }
  /* The stack has moved to another thread since the call (a coroutine). */
  const struct bpfaot_thread_table *table =
      (const struct bpfaot_thread_table *)support_arena()->table;
  for (uint64_t i = 0; i < 1ull << table->capacity_log2; ++i) {
    struct bpfaot_thread *other = slot_at(table, i);
    if (__atomic_load_n(&other->key, __ATOMIC_ACQUIRE) == 0) {
      continue;
    }
    for (uint32_t k = BPFAOT_FRAMES; k-- > 0;) {
      struct bpfaot_frame *frame = &other->frames[k];
      uint64_t found = __atomic_load_n(&frame->sp, __ATOMIC_ACQUIRE);
      if (!is_same_call(found, mark)) {
        continue;
      }
      address = frame->return_address;
      if (__atomic_compare_exchange_n(&frame->sp, &found, (uint64_t)kTaken, 0, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
        return address;
      }
    }
  }
  __builtin_trap(); /* somebody overwrote the shadow stack: nowhere to return to */
}

/* An unwinder is about to walk this stack: it must find the true addresses. Their returns are
 * missed. `registers`: those that a call keeps, which may hold return addresses too where calls do
 * not push them; what is written there goes back into the registers. */
SUPPORT void bpfaot_sweep(uint64_t sp, uint64_t *registers) {
  struct bpfaot_thread *thread = find_thread(thread_key(), 0);
  if (thread == 0 || thread->depth == 0) {
    return;
  }
  const uint64_t missed = release_frames(thread, sp, registers);
  trim(thread, sp);
  if (missed != 0) {
    count_missed(missed);
  }
}
