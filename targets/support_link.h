/* SPDX-License-Identifier: MIT
 *
 * The part of targets/shadow_stack.h for machines whose calls leave the return address in a
 * register. A probed function finds the return point there, keeps it wherever it likes (in its
 * frame, in a tail-called function's frame, signed or not), and its place is not known.
 *
 * A frame's mark. Bits 4 to 47 are the stack pointer at entry, which is 16-aligned there; bits 48 to
 * 63 are a tag of the trampoline (SUPPORT_TAG_OF a return point); bit 1 (kSwept) says that the
 * true address was put back and the function is expected to return by itself. It still finds its
 * frame if it comes to the return point nevertheless.
 *
 * Frames left behind. Two live calls can have the same stack pointer only when one has tail-called
 * the other, whose return address then is a return point of ours. Otherwise the first one had to
 * call on without any stack, its return address in a register. So a frame with the current sp may
 * be dropped when the very call it stands for (same sp, same true return address) is being made
 * again: if it were live, the function with that call site would have to be active twice on the
 * same bytes of stack. Frames pushed above it at the same sp go with it.
 *
 * Sweeping. Every word from the stack pointer to the highest live frame's sp, and the registers that
 * a call keeps, are looked at. One that is the address of a return point belongs to the call
 * whose sp is nearest above it, among all threads' frames with the same tag, because calls nest; it
 * is replaced when that is a call of this thread. Words of dead frames are replaced as well, which
 * hurts nobody. Memory that may not be stack is asked for page by page and never read blindly.
 */
#pragma once

enum { kSwept = 2 };

INLINE uint64_t sp_of(uint64_t mark) {
  return mark & 0x0000fffffffffff0ull;
}

INLINE int is_same_call(uint64_t found, uint64_t mark) {
  return (found & ~(uint64_t)kSwept) == mark;
}

INLINE int is_dead(const struct bpfaot_frame *frame, uint64_t sp) {
  const uint64_t mark = *(const volatile uint64_t *)&frame->sp;
  const uint64_t theirs = sp_of(mark);
  if (mark == kReserved || mark == kTaken) {
    return mark == kTaken;
  }
  if (mark & kSwept) {
    return theirs <= sp;
  }
  return theirs < sp && on_main_stack(theirs) && on_main_stack(sp);
}

/* The call at `link` is made again with the same stack pointer: the one before is over. */
INLINE void drop_repeated(struct bpfaot_thread *thread, uint64_t sp, uint64_t link) {
  uint32_t depth = depth_of(thread), cut = depth;
  for (uint32_t i = depth; i-- > 0;) {
    const uint64_t mark = *(volatile uint64_t *)&thread->frames[i].sp;
    if (mark != kTaken && (mark == kReserved || sp_of(mark) != sp)) {
      break;
    }
    if (mark != kTaken && thread->frames[i].return_address == link && !is_ours(link)) {
      cut = i;
    }
  }
  for (; depth > cut; --depth) {
    drop_top(thread);
  }
}

INLINE int is_live(uint64_t mark) {
  return mark != kReserved && mark != kTaken && (mark & kSwept) == 0;
}

/* Machines whose trampolines have several return points say where the tag is. */
#ifndef SUPPORT_TAG_OF
#define SUPPORT_TAG_OF(return_point) ((return_point) >> 2 & 0xffff)
#endif

INLINE int is_return_point(uint64_t word) {
  return (word & 3) == 0 && is_ours(word) && is_ours(word - SUPPORT_RETURN_MARK_AT) &&
         *(const uint32_t *)(word - SUPPORT_RETURN_MARK_AT) == SUPPORT_RETURN_MARK;
}

/* What frame `index` returns to in the end: a tail-called function's frame says the return point
 * of the one before it, with the same sp. 0 = not known. */
INLINE uint64_t true_address(const struct bpfaot_thread *thread, uint32_t index) {
  const uint64_t sp = sp_of(thread->frames[index].sp);
  for (uint32_t i = index + 1; i-- > 0;) {
    const volatile struct bpfaot_frame *frame = &thread->frames[i];
    if (is_live(frame->sp) && sp_of(frame->sp) == sp && !is_ours(frame->return_address)) {
      return frame->return_address;
    }
  }
  return 0;
}

/* Frame `index` and those it tail-calls back to return by themselves now; how many they are. */
INLINE uint64_t mark_swept(struct bpfaot_thread *thread, uint32_t index) {
  const uint64_t sp = sp_of(thread->frames[index].sp);
  uint64_t marked = 0;
  for (uint32_t i = index + 1; i-- > 0;) {
    volatile struct bpfaot_frame *frame = &thread->frames[i];
    if (!is_live(frame->sp) || sp_of(frame->sp) != sp) {
      continue;
    }
    frame->sp |= kSwept;
    ++marked;
    if (!is_ours(frame->return_address)) {
      break;
    }
  }
  return marked;
}

/* The frame of this thread that a return point found at `at` belongs to; BPFAOT_FRAMES = none. A
 * word in a register is as one just below the stack pointer. */
INLINE uint32_t owner_of(struct bpfaot_thread *thread, uint64_t at, uint64_t tag) {
  const struct bpfaot_thread_table *table =
      (const struct bpfaot_thread_table *)support_arena()->table;
  uint32_t found = BPFAOT_FRAMES;
  uint64_t nearest = ~0ull;
  for (uint32_t i = depth_of(thread); i-- > 0;) {
    const uint64_t mark = *(volatile uint64_t *)&thread->frames[i].sp;
    if (!is_live(mark) || mark >> 48 != tag || sp_of(mark) <= at) {
      continue;
    }
    if (sp_of(mark) < nearest) {
      /* One that was called later, from higher up, shows that this one may be left behind. */
      if (found != BPFAOT_FRAMES) {
        return BPFAOT_FRAMES;
      }
      nearest = sp_of(mark);
      found = i;
    }
  }
  for (uint64_t i = 0; found != BPFAOT_FRAMES && i < 1ull << table->capacity_log2; ++i) {
    struct bpfaot_thread *other = slot_at(table, i);
    if (other == thread || __atomic_load_n(&other->key, __ATOMIC_ACQUIRE) == 0) {
      continue;
    }
    for (uint32_t k = depth_of(other); k-- > 0;) {
      const uint64_t mark = __atomic_load_n(&other->frames[k].sp, __ATOMIC_ACQUIRE);
      if (is_live(mark) && sp_of(mark) > at && sp_of(mark) < nearest) {
        return BPFAOT_FRAMES; /* another stack lies in between */
      }
    }
  }
  return found;
}

/* Which frames were found; a frame is marked only when all words have been looked at, since a
 * function can have kept its return address more than once. */
struct found {
  uint64_t bits[BPFAOT_FRAMES / 64 + 1];
};

INLINE void release_word(struct bpfaot_thread *thread, uint64_t at, uint64_t *word,
                         struct found *found) {
  uint64_t seen = *(volatile uint64_t *)word;
  const uint64_t plain = support_strip(seen);
  if (!is_return_point(plain)) {
    return;
  }
  const uint32_t index = owner_of(thread, at, SUPPORT_TAG_OF(plain));
  if (index == BPFAOT_FRAMES) {
    return;
  }
  uint64_t fresh = true_address(thread, index);
  if (fresh != 0 && support_sign_alike(seen, plain, &fresh, sp_of(thread->frames[index].sp)) &&
      __atomic_compare_exchange_n(word, &seen, fresh, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    found->bits[index / 64] |= 1ull << index % 64;
  }
}

/* Puts the true return addresses of the thread's live calls back; how many. */
INLINE uint64_t release_frames(struct bpfaot_thread *thread, uint64_t sp, uint64_t *registers) {
  const uint64_t kPage = 4096, kFarthest = 64u << 20;
  const int main_stack = on_main_stack(sp);
  struct found found;
  uint64_t end = sp, released = 0;
  for (uint32_t i = 0; i < sizeof found.bits / 8; ++i) {
    *(volatile uint64_t *)&found.bits[i] = 0;
  }
  for (uint32_t i = depth_of(thread); i-- > 0;) {
    const uint64_t theirs = sp_of(thread->frames[i].sp);
    if (is_live(thread->frames[i].sp) && theirs > end && on_main_stack(theirs) == main_stack) {
      end = theirs;
    }
  }
  if (!main_stack && end - sp > kFarthest) {
    end = sp + kFarthest;
  }
  for (uint32_t i = 0; i < SUPPORT_KEPT_REGISTERS; ++i) {
    release_word(thread, sp - 1, &registers[i], &found);
  }
  for (uint64_t at = sp; at < end; at += 8) {
    uint64_t word = 0;
    if (!main_stack && at % kPage == 0 &&
        (!support_arena()->may_call_system || !read_word(at, &word))) {
      break;
    }
    release_word(thread, at, (uint64_t *)at, &found);
  }
  for (uint32_t i = depth_of(thread); i-- > 0;) {
    if ((found.bits[i / 64] >> i % 64 & 1) != 0 && is_live(thread->frames[i].sp)) {
      released += mark_swept(thread, i);
    }
  }
  return released;
}
