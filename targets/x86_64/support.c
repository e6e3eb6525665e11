/* SPDX-License-Identifier: MIT
 *
 * The rare paths of return probes, run inside the target. This is never called where it is linked:
 * the loader copies the section `bpfaot_support` into each arena, BPFAOT_ARENA_SUPPORT bytes behind
 * its struct bpfaot_arena. So: no libc, no data, no reference outside the section, no vector
 * registers; every reference is relative to the instruction pointer.
 *
 * The shadow stack of a thread (struct bpfaot_thread) has one frame per probed call that has not
 * returned. The true return address lives only there, so the rule above all others is: a frame
 * that may be live is never dropped. A frame's `sp` says what it is:
 *   0                 reserved: its owner has counted it in `depth` and has not filled it yet (a
 *                     signal came in between), or a slot above `depth`
 *   1                 taken by another thread (a coroutine returned there): dead
 *   anything else     where the return address was; live, or left behind by longjmp and the like
 * Frames need not be in order of sp: coroutines and alternate signal stacks interleave. A frame
 * that was left behind is recognised by one of:
 *   - both its sp and the current sp lie on the first thread's stack, and it is lower;
 *   - its sp is the current one, and what the caller left there is not ours;
 *   - its sp is lower, in the same page (so reading it is safe), and no address of ours is there.
 * What cannot be told stays until the table is full; then returns are counted as missed.
 *
 * Signals: a handler on the same thread may run any of this between any two instructions. It
 * leaves depth as it found it or trims dead frames; reserved frames stop trimming. Therefore: bump
 * depth by one instruction, then fill; clear sp, then lower depth.
 */
#include "bpfaot/abi.h"
#include "targets/arena.h"

#define SUPPORT __attribute__((section("bpfaot_support"), used, noinline))
#define INLINE static inline __attribute__((always_inline))


enum { kReserved = 0, kTaken = 1 };

INLINE const struct bpfaot_arena *arena(void) {
  /* The linker defines where the section begins. */
  const struct bpfaot_arena *control;
  __asm__(".hidden __start_bpfaot_support\n lea __start_bpfaot_support - %c1(%%rip), %0"
          : "=r"(control)
          : "i"(BPFAOT_ARENA_SUPPORT));
  return control;
}

INLINE long system_call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

INLINE uint64_t thread_pointer(void) {
  uint64_t key = 0;
  if (arena()->has_fast_thread_pointer) {
    __asm__("rdfsbase %0" : "=r"(key));
  } else {
    system_call6(158 /* arch_prctl */, 0x1003 /* ARCH_GET_FS */, (long)&key, 0, 0, 0, 0);
  }
  return key != 0 ? key : 1; /* as abi.h says: 0 marks a free slot */
}

INLINE int is_ours(uint64_t address) {
  const struct bpfaot_arena *a = arena();
  for (uint64_t i = 0; i < a->range_count; ++i) {
    if (address - a->ranges[i].low < a->ranges[i].high - a->ranges[i].low) {
      return 1;
    }
  }
  return 0;
}

INLINE int on_main_stack(uint64_t sp) {
  const struct bpfaot_range *r = &arena()->main_stack;
  return sp - r->low < r->high - r->low;
}

INLINE void count_missed(uint64_t how_many) {
  struct bpfaot_process *process = (struct bpfaot_process *)arena()->process;
  __atomic_fetch_add(&process->missed_returns, how_many, __ATOMIC_RELAXED);
}

INLINE struct bpfaot_thread *slot_at(const struct bpfaot_thread_table *table, uint64_t index) {
  return (struct bpfaot_thread *)(table->base + index * table->stride);
}

/* The thread's slot; claims one when `claim` is set. The hash is the one abi.h states. */
INLINE struct bpfaot_thread *find_thread(uint64_t key, int claim) {
  struct bpfaot_thread_table *table = (struct bpfaot_thread_table *)arena()->table;
  const uint64_t capacity = 1ull << table->capacity_log2;
  uint64_t index = ((key >> 6) * 0x9e3779b97f4a7c15ull) >> (64 - table->capacity_log2);
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

INLINE void trim(struct bpfaot_thread *thread, uint64_t sp) {
  uint32_t depth = thread->depth;
  while (depth > 0 && depth <= BPFAOT_FRAMES && is_dead(&thread->frames[depth - 1], sp)) {
    *(volatile uint64_t *)&thread->frames[depth - 1].sp = kReserved;
    --depth;
    *(volatile uint32_t *)&thread->depth = depth;
  }
}

/* 1: a frame is pushed, the call must go through; 0: run the function as if nothing were there. */
SUPPORT uint64_t bpfaot_push_slow(uint64_t sp) {
  struct bpfaot_thread *thread = find_thread(thread_pointer(), 1);
  if (thread == 0) {
    count_missed(1);
    return 0;
  }
  /* The fast path compares the frame below the first one too: make it greater than any sp. */
  *((volatile uint64_t *)thread->frames - 1) = ~0ull;
  trim(thread, sp);
  uint32_t index = 1;
  __asm__ volatile("xaddl %0, %1" : "+r"(index), "+m"(thread->depth) : : "cc");
  if (index >= BPFAOT_FRAMES) {
    __asm__ volatile("decl %0" : "+m"(thread->depth) : : "cc");
    count_missed(1);
    return 0;
  }
  volatile struct bpfaot_frame *frame = &thread->frames[index];
  frame->return_address = *(const uint64_t *)sp;
  frame->sp = sp;
  return 1;
}

INLINE uint64_t take_own(struct bpfaot_thread *thread, uint64_t sp) {
  uint32_t depth = thread->depth < BPFAOT_FRAMES ? thread->depth : BPFAOT_FRAMES;
  for (uint32_t i = depth; i-- > 0;) {
    volatile struct bpfaot_frame *frame = &thread->frames[i];
    if (frame->sp != sp) {
      continue;
    }
    const uint64_t address = frame->return_address;
    frame->sp = kTaken;
    trim(thread, sp); /* what lies above was left behind; then this one */
    return address;
  }
  return 0;
}

/* The true return address of the probed call whose return address was at `sp`. */
SUPPORT uint64_t bpfaot_pop_slow(uint64_t sp) {
  struct bpfaot_thread *thread = find_thread(thread_pointer(), 0);
  uint64_t address = thread ? take_own(thread, sp) : 0;
  if (address != 0) {
    return address;
  }
  /* The stack has moved to another thread since the call (a coroutine). */
  const struct bpfaot_thread_table *table = (const struct bpfaot_thread_table *)arena()->table;
  for (uint64_t i = 0; i < 1ull << table->capacity_log2; ++i) {
    struct bpfaot_thread *other = slot_at(table, i);
    if (__atomic_load_n(&other->key, __ATOMIC_ACQUIRE) == 0) {
      continue;
    }
    for (uint32_t k = BPFAOT_FRAMES; k-- > 0;) {
      uint64_t expected = sp;
      struct bpfaot_frame *frame = &other->frames[k];
      if (__atomic_load_n(&frame->sp, __ATOMIC_ACQUIRE) != sp) {
        continue;
      }
      address = frame->return_address;
      if (__atomic_compare_exchange_n(&frame->sp, &expected, (uint64_t)kTaken, 0, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
        return address;
      }
    }
  }
  __builtin_trap(); /* somebody overwrote the shadow stack: nowhere to return to */
}

/* A word of another part of this process that may not be there. */
INLINE int read_word(uint64_t from, uint64_t *word) {
  struct {
    uint64_t base, length;
  } local = {(uint64_t)word, 8}, remote = {from, 8};
  long pid = system_call6(39 /* getpid */, 0, 0, 0, 0, 0, 0);
  return system_call6(310 /* process_vm_readv */, pid, (long)&local, 1, (long)&remote, 1, 0) == 8;
}

/* An unwinder is about to walk this stack: it must find the true addresses. Their returns are
 * missed. */
SUPPORT void bpfaot_sweep(uint64_t sp) {
  struct bpfaot_thread *thread = find_thread(thread_pointer(), 0);
  if (thread == 0 || thread->depth == 0) {
    return;
  }
  const int main_stack = on_main_stack(sp);
  const uint32_t depth = thread->depth < BPFAOT_FRAMES ? thread->depth : BPFAOT_FRAMES;
  uint64_t missed = 0;
  for (uint32_t i = depth; i-- > 0;) {
    volatile struct bpfaot_frame *frame = &thread->frames[i];
    const uint64_t at = frame->sp;
    if (at == kReserved || at == kTaken || (at < sp && main_stack)) {
      continue;
    }
    uint64_t word = 0;
    const int sure = (main_stack && on_main_stack(at)) || !arena()->may_call_system;
    if (sure) {
      word = *(const volatile uint64_t *)at;
    } else if (!read_word(at, &word)) {
      continue;
    }
    if (is_ours(word)) {
      *(volatile uint64_t *)at = frame->return_address;
      frame->sp = kTaken;
      ++missed;
    }
  }
  trim(thread, sp);
  if (missed != 0) {
    count_missed(missed);
  }
}

/* Runs a list of system calls for the loader; the number of those that worked. */
SUPPORT uint64_t bpfaot_batch(struct bpfaot_remote_call *calls, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t *a = calls[i].args;
    calls[i].result =
        (uint64_t)system_call6((long)calls[i].number, (long)a[0], (long)a[1], (long)a[2],
                               (long)a[3], (long)a[4], (long)a[5]);
    if (calls[i].result > (uint64_t)-4096) {
      return i;
    }
  }
  return count;
}

/* Entries, called from trampolines with the stack pointer of the probed call in rax; rax, rcx and
 * r11 are saved by the caller, vector registers are never used. */
__asm__(".pushsection bpfaot_support, \"ax\", @progbits\n"
        ".macro bpfaot_entry name, routine\n"
        ".globl \\name\n"
        ".hidden \\name\n"
        "\\name:\n"
        "  push %rdx\n  push %rsi\n  push %rdi\n  push %r8\n  push %r9\n  push %r10\n"
        "  mov %rax, %rdi\n"
        "  call \\routine\n"
        "  pop %r10\n  pop %r9\n  pop %r8\n  pop %rdi\n  pop %rsi\n  pop %rdx\n"
        "  ret\n"
        ".endm\n"
        "bpfaot_entry bpfaot_push_entry, bpfaot_push_slow\n"
        "bpfaot_entry bpfaot_pop_entry, bpfaot_pop_slow\n"
        "bpfaot_entry bpfaot_sweep_entry, bpfaot_sweep\n"
        ".globl bpfaot_batch_entry\n"
        ".hidden bpfaot_batch_entry\n"
        "bpfaot_batch_entry:\n" /* rdi: calls, rsi: count; ends in a breakpoint */
        "  call bpfaot_batch\n"
        "  int3\n"
        ".popsection");
