/* SPDX-License-Identifier: MIT
 *
 * What happens around a program run: finding the thread's state, the recursion guard, the lease of
 * a CPU slot. A program that needs none of it never comes here.
 *
 * Thread state. The table (abi.h) is private to the process and keyed by the thread pointer, since
 * nothing may be put into the process's own TLS. Who can disturb a thread here?
 *
 *  - A signal handler on the same thread that runs a program: it goes through enter and leave
 *    completely before we go on. Between our test of `guard` and our store it leaves the guard as
 *    it found it (0); after our store it sees 1 and counts itself as missed. Plain stores in
 *    program order are therefore enough; rt_barrier keeps the compiler from moving them.
 *  - Another thread registering: a slot is claimed by compare-and-swap of `key` from 0; the claimer
 *    is the only one with that key, and the ids are filled in before it is used.
 *  - A handler that leaves by longjmp or siglongjmp out of an interrupted program: its guard would
 *    stay set for ever. The address of the holder's frame is kept; a nested run lies below it, so a
 *    hit from a frame that does not means that the holder is gone, and takes the guard over. On an
 *    alternate signal stack that lies above the thread's stack this can take over a live guard; all
 *    map code is safe against re-entry, so the price is a nested run that is not counted as missed.
 *  - fork: the child has a copy of the table and exactly one thread. `fork_page` is wiped in the
 *    child, so its word no longer equals the slot's generation, and ids and guard are refreshed
 *    before use. The first thread to see the zero word gives it a new generation; threads that race
 *    for it agree by compare-and-swap. The shadow stack stays: it belongs to frames the child has.
 *    vfork and clone(CLONE_VM) children share memory and fork page with the parent; they have the
 *    parent's thread pointer until exec, and the ids of the parent. That is documented behaviour.
 *  - kill -9: the table dies with the process.
 *
 * Thread ids. A later thread may get the thread pointer of a dead one, because libc reuses stacks,
 * so a cached id must be checked. The main thread's block is never reused. For others the check is
 * the word in which libc itself keeps the id (set by the kernel at clone, cleared by it at exit),
 * whose place is found by looking for a thread's own id in its control block. It counts only after
 * it was right on two threads with different ids; until then, and for runtimes that keep no such
 * word, the id comes from gettid each time.
 *
 * CPU slots. Per-CPU values belong to the program while it runs, as in the kernel, where it cannot
 * be preempted by another run on that CPU. A user thread can be preempted and migrated at any
 * instruction, so the program takes a slot for its own: owner is set from 0 to the tid by
 * compare-and-swap (acquire: the last holder's stores are seen), and back to 0 by a release store.
 * It starts at the CPU it is on, so slots mostly equal CPUs and stay in that CPU's cache. An
 * interrupted holder on the same thread keeps its slot; the handler gets another one. A holder that
 * was killed leaves its tid behind: when no slot is free, slots of dead owners are taken over by
 * compare-and-swap from that tid, which only one can win. Values it left half-updated are as the
 * program left them, which is what a per-CPU value is worth after any crash.
 */
#include "minirt/rt.h"

enum { kProbes = 64, kTidBlock = 64, kTidBlocks = 9, kTidSearches = 32 };

static uint64_t thread_key(void) {
  uint64_t pointer = rt_thread_pointer(__bpfaot_rt.thread_method);
  return pointer ? pointer : 1;
}

RT_INLINE struct bpfaot_thread* slot_at(const struct bpfaot_thread_table* table, uint64_t index) {
  return (struct bpfaot_thread*)(table->base + index * table->stride);
}

RT_INLINE uint64_t home_of(const struct bpfaot_thread_table* table, uint64_t key) {
  return (key >> 6) * 0x9e3779b97f4a7c15u >> (64 - table->capacity_log2);
}

/* The thread's slot as it is, ids unchecked. */
RT_INLINE struct bpfaot_thread* find_slot(const struct bpfaot_thread_table* table, uint64_t key) {
  uint64_t mask = ((uint64_t)1 << table->capacity_log2) - 1;
  uint64_t index = home_of(table, key);
  for (uint32_t i = 0; i < kProbes; i++, index = (index + 1) & mask) {
    struct bpfaot_thread* thread = slot_at(table, index);
    uint64_t found = rt_load(&thread->key);
    if (rt_likely(found == key))
      return thread;
    if (!found)
      return NULL;
  }
  return NULL;
}

/* The word that equals a live thread's id in its control block, when its place is known. */
RT_INLINE bool tid_word_agrees(const struct bpfaot_process* process, uint64_t key, uint32_t tid) {
  if (rt_load(&process->tid_proofs) < 2)
    return false;
  return rt_load((const uint32_t*)(key + (uint64_t)process->tid_off)) == tid;
}

static bool read_own_memory(uint32_t tgid, void* to, uint64_t from, uint64_t size) {
  uint64_t local[2] = {(uint64_t)to, size}, remote[2] = {from, size};
  return rt_syscall6(RT_NR_process_vm_readv, (long)tgid, (long)local, 1, (long)remote, 1, 0) ==
         (long)size;
}

/* Looks for the thread's id in its control block, which begins at the thread pointer on x86_64 and
 * ends there on the others; the nearest match first, since a stack with stale ids may lie behind
 * it. */
static void search_tid_word(struct bpfaot_process* process, uint64_t key, uint32_t tid,
                            uint32_t tgid) {
  uint32_t words[kTidBlock];
  for (uint32_t block = 0; block < kTidBlocks; block++) {
    uint64_t from = RT_TCB_ABOVE ? key + block * sizeof words : key - (block + 1) * sizeof words;
    if (!read_own_memory(tgid, words, from, sizeof words))
      break;
    for (uint32_t i = 0; i < kTidBlock; i++) {
      uint32_t at = RT_TCB_ABOVE ? i : kTidBlock - 1 - i;
      if (words[at] != tid)
        continue;
      rt_store(&process->tid_off, (int64_t)(from + 4 * at - key));
      rt_store(&process->tid_witness, tid);
      rt_store(&process->tid_proofs, 1);
      return;
    }
  }
  rt_add(&process->tid_searches, 1);
}

/* One step towards knowing the place: a first thread finds it, a second one confirms or discards
 * it. */
static RT_COLD void learn_tid_word(struct bpfaot_process* process, uint64_t key, uint32_t tid,
                                   uint32_t tgid) {
  if (tid == tgid || rt_load(&process->tid_proofs) >= 2 ||
      rt_load(&process->tid_searches) >= kTidSearches)
    return;
  if (!rt_load(&process->tid_proofs)) {
    search_tid_word(process, key, tid, tgid);
    return;
  }
  if (rt_load(&process->tid_witness) == tid)
    return;
  uint32_t value = 0;
  bool right =
      read_own_memory(tgid, &value, key + (uint64_t)rt_load(&process->tid_off), 4) && value == tid;
  if (!right)
    rt_add(&process->tid_searches, 1);
  rt_store(&process->tid_proofs, right ? 2 : 0);
}

/* The fork page's word, given a value if this is the first look since a fork. */
static uint64_t current_generation(struct bpfaot_process* process) {
  uint64_t* page = (uint64_t*)__bpfaot_rt.fork_page;
  if (!page)
    return 0;
  uint64_t generation = rt_load(page);
  if (generation)
    return generation;
  uint64_t fresh = process ? rt_add(&process->generation, 1) + 1 : 1;
  return rt_cas64(page, 0, fresh) ? fresh : rt_load(page);
}

/* Fills in ids and clears what another life of this slot left behind. */
static RT_COLD void refresh(struct bpfaot_thread* thread, uint64_t key) {
  struct bpfaot_process* process = (struct bpfaot_process*)__bpfaot_rt.process;
  uint64_t generation = current_generation(process);
  uint32_t tid = rt_gettid();
  if (!thread->tgid || thread->generation != generation) {
    rt_store(&thread->tgid, (uint32_t)rt_syscall6(RT_NR_getpid, 0, 0, 0, 0, 0, 0));
    if (process)
      rt_store(&process->tgid, (uint64_t)thread->tgid);
  }
  if (thread->tid != tid || thread->generation != generation)
    rt_store(&thread->guard, 0u);
  rt_store(&thread->tid, tid);
  rt_store(&thread->generation, generation);
  if (process)
    learn_tid_word(process, key, tid, thread->tgid);
}

/* A slot for a thread that has none: a free one, else one whose thread is gone and has nothing
 * on its shadow stack. */
static RT_COLD struct bpfaot_thread* register_thread(struct bpfaot_thread_table* table,
                                                     uint64_t key) {
  uint64_t mask = ((uint64_t)1 << table->capacity_log2) - 1;
  for (uint32_t pass = 0; pass < 2; pass++) {
    uint64_t index = home_of(table, key);
    for (uint32_t i = 0; i < kProbes && i <= mask; i++, index = (index + 1) & mask) {
      struct bpfaot_thread* thread = slot_at(table, index);
      uint64_t found = rt_load(&thread->key);
      if (pass == 0 && found)
        continue;
      if (pass == 1 && (rt_load(&thread->guard) || rt_load(&thread->depth) ||
                        !rt_thread_is_dead(rt_load(&thread->tid))))
        continue;
      if (!rt_cas64(&thread->key, found, key)) {
        if (pass == 0)
          i--, index--; /* somebody filled it: look again, it is no longer free */
        continue;
      }
      if (pass == 0)
        rt_add(&table->used, 1);
      refresh(thread, key);
      return thread;
    }
  }
  return NULL;
}

/* The main thread's id needs no proof: its control block is never given to another thread. */
RT_INLINE bool ids_are_valid(const struct bpfaot_thread* thread, uint64_t key) {
  const struct bpfaot_process* process = (const struct bpfaot_process*)__bpfaot_rt.process;
  if (rt_unlikely(thread->generation != rt_fork_word() || !thread->tid))
    return false;
  return thread->tid == thread->tgid ||
         (process && rt_likely(tid_word_agrees(process, key, thread->tid)));
}

RT_SLOW struct bpfaot_thread* rt_current_thread(void) {
  struct bpfaot_thread_table* table = (struct bpfaot_thread_table*)__bpfaot_rt.threads;
  if (rt_unlikely(!table || !table->base))
    return NULL;
  uint64_t key = thread_key();
  struct bpfaot_thread* thread = find_slot(table, key);
  if (rt_unlikely(!thread))
    return register_thread(table, key);
  if (rt_unlikely(!ids_are_valid(thread, key)))
    refresh(thread, key);
  return thread;
}

/* The same as it mostly is: the thread is in its home slot. Only this is part of programs. */
RT_INLINE struct bpfaot_thread* quick_current_thread(void) {
  const struct bpfaot_thread_table* table = (const struct bpfaot_thread_table*)__bpfaot_rt.threads;
  if (rt_likely(table && table->base && rt_can_read_thread_pointer(__bpfaot_rt.thread_method))) {
    uint64_t key = rt_read_thread_pointer();
    struct bpfaot_thread* thread = slot_at(table, home_of(table, key));
    if (rt_likely(key && rt_load(&thread->key) == key && ids_are_valid(thread, key)))
      return thread;
  }
  return rt_current_thread();
}

static RT_COLD uint32_t missed(void) {
  struct bpfaot_process* process = (struct bpfaot_process*)__bpfaot_rt.process;
  if (process)
    rt_add(&process->missed, 1);
  return 0;
}

/* The slot of the CPU we were on is taken: any free one, then one of a dead owner. */
static RT_COLD uint32_t lease_other_slot(uint32_t cpu, uint32_t tid) {
  struct bpfaot_session* session = (struct bpfaot_session*)__bpfaot_rt.session;
  uint32_t count = __bpfaot_rt.cpu_count;
  for (uint32_t pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < count; i++) {
      uint32_t slot = (cpu + i) % count;
      uint32_t owner = rt_load(&session->cpus[slot].owner);
      if (owner && (pass == 0 || owner == tid || !rt_thread_is_dead(owner)))
        continue;
      if (rt_cas32(&session->cpus[slot].owner, owner, tid))
        return slot;
    }
  }
  return BPFAOT_NONE;
}

RT_INLINE uint32_t lease_slot(uint32_t tid) {
  struct bpfaot_session* session = (struct bpfaot_session*)__bpfaot_rt.session;
  uint32_t cpu = rt_cpu_number();
  if (rt_likely(cpu < __bpfaot_rt.cpu_count && rt_cas32(&session->cpus[cpu].owner, 0, tid)))
    return cpu;
  return lease_other_slot(cpu, tid);
}

RT_HELPER uint32_t __bpfaot_rt_enter(struct bpfaot_env* env, uint32_t flags) {
  const struct bpfaot_session* session = (const struct bpfaot_session*)__bpfaot_rt.session;
  if (rt_unlikely(session && rt_load(&session->disarm)))
    return 0;
  if (!(flags & (BPFAOT_PROG_NEEDS_GUARD | BPFAOT_PROG_NEEDS_CPU)))
    return 1;
  struct bpfaot_thread* thread = quick_current_thread();
  env->thread = thread;
  if (flags & BPFAOT_PROG_NEEDS_GUARD) {
    if (rt_unlikely(!thread))
      return missed();
    uint64_t frame = (uint64_t)__builtin_frame_address(0);
    if (rt_unlikely(thread->guard) && frame < thread->guard_frame)
      return missed();
    thread->guard = 1;
    thread->guard_frame = frame;
    rt_barrier();
  }
  if (flags & BPFAOT_PROG_NEEDS_CPU) {
    env->cpu = session ? lease_slot(thread ? thread->tid : rt_gettid()) : BPFAOT_NONE;
    if (rt_unlikely(env->cpu == BPFAOT_NONE)) {
      if (flags & BPFAOT_PROG_NEEDS_GUARD)
        rt_store(&thread->guard, 0u);
      return missed();
    }
  }
  return 1;
}

RT_HELPER void __bpfaot_rt_leave(struct bpfaot_env* env, uint32_t flags) {
  if (flags & BPFAOT_PROG_NEEDS_CPU) {
    struct bpfaot_session* session = (struct bpfaot_session*)__bpfaot_rt.session;
    rt_store_release(&session->cpus[env->cpu].owner, 0u);
  }
  if (flags & BPFAOT_PROG_NEEDS_GUARD) {
    rt_barrier();
    rt_store(&env->thread->guard, 0u);
  }
}
