/* SPDX-License-Identifier: MIT
 *
 * The probe_read family. No signal handler is installed in the target, so a load may only be done
 * where it cannot fault: in the memory of our own maps, which stays mapped, and in the page of the
 * stack that we are running on. Everything else goes through process_vm_readv on ourselves, which
 * reports a fault instead of raising it. Addresses that cannot be mapped fail at once.
 *
 * User and kernel variants are the same: there is no kernel memory to read in a process but the few
 * fields of the current task (task_read.c).
 */
#include "minirt/probe_read.h"
#include "minirt/helpers.h"
#include "minirt/task_read.h"

enum { kPage = 4096 }; /* no machine has smaller ones */

/* Not the null page, not the kernel's half, no wrap. */
RT_INLINE bool may_be_mapped(uint64_t from, uint64_t size) {
  return from >= kPage && from + size >= from && !((from + size) >> 63);
}

RT_INLINE bool is_own_stack_page(uint64_t from, uint64_t size) {
  uint64_t page = (uint64_t)__builtin_frame_address(0) & ~(uint64_t)(kPage - 1);
  return from >= page && size <= kPage && from + size <= page + kPage;
}

static bool is_map_memory(uint64_t from, uint64_t size) {
  for (uint32_t i = 0; i < __bpfaot_rt.map_count; i++) {
    const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[i];
    const struct bpfaot_map_header* h = (const struct bpfaot_map_header*)slot->header;
    if (h && from >= slot->data && size <= h->data_size && from - slot->data <= h->data_size - size)
      return true;
  }
  return false;
}

static uint32_t own_pid(void) {
  const struct bpfaot_thread* thread = rt_current_thread();
  return thread ? thread->tgid : (uint32_t)rt_syscall6(RT_NR_getpid, 0, 0, 0, 0, 0, 0);
}

enum { kFutexWaitPrivate = 128 };

/* Whether the page can be read, by a system call that reads it: waiting for no time on a word. */
static bool page_is_readable(uint64_t address) {
  int64_t no_time[2] = {0, 0};
  return rt_syscall6(RT_NR_futex, (long)(address & ~(uint64_t)3), kFutexWaitPrivate, 0,
                     (long)no_time, 0, 0) != -RT_EFAULT;
}

/* For kernels without process_vm_readv, and qemu-user: asks for each page first. Another thread
 * that unmaps the page in between would make this fault, which is why it is not the first choice.
 */
static RT_COLD bool read_after_asking(void* to, uint64_t size, uint64_t from) {
  for (uint64_t page = from & ~(uint64_t)(kPage - 1); page < from + size; page += kPage) {
    if (!page_is_readable(page))
      return false;
  }
  __builtin_memmove(to, (const void*)from, size);
  return true;
}

static bool read_foreign(uint32_t pid, void* to, uint64_t size, uint64_t from) {
  uint64_t local[2] = {(uint64_t)to, size}, remote[2] = {from, size};
  long result = rt_syscall6(RT_NR_process_vm_readv, (long)pid, (long)local, 1, (long)remote, 1, 0);
  if (rt_unlikely(result == -RT_ENOSYS))
    return read_after_asking(to, size, from);
  return result == (long)size;
}

RT_SLOW int64_t rt_probe_read(void* to, uint64_t size, uint64_t from) {
  if (!size)
    return 0;
  if (may_be_mapped(from, size)) {
    if (is_own_stack_page(from, size) || is_map_memory(from, size)) {
      __builtin_memmove(to, (const void*)from, size);
      return 0;
    }
    if (read_foreign(own_pid(), to, size, from))
      return 0;
  }
  __builtin_memset(to, 0, size);
  return -RT_EFAULT;
}

/* Page by page: a string may end right before memory that is not there. */
RT_SLOW int64_t rt_probe_read_str(void* to, uint64_t size, uint64_t from) {
  uint8_t* out = to;
  uint64_t done = 0;
  uint32_t pid = 0;
  while (done < size) {
    uint64_t at = from + done;
    uint64_t part = kPage - (at & (kPage - 1));
    if (part > size - done)
      part = size - done;
    if (!may_be_mapped(at, part))
      break;
    if (is_own_stack_page(at, part) || is_map_memory(at, part)) {
      __builtin_memmove(out + done, (const void*)at, part);
    } else {
      pid = pid ? pid : own_pid();
      if (!read_foreign(pid, out + done, part, at))
        break;
    }
    for (uint64_t i = done; i < done + part; i++) {
      if (!out[i]) {
        __builtin_memset(out + i, 0,
                         done + part - i); /* what follows the string is not ours to show */
        return (int64_t)(i + 1);
      }
    }
    done += part;
  }
  if (!size)
    return 0;
  if (done == size) {
    out[size - 1] = 0;
    return (int64_t)size;
  }
  __builtin_memset(out, 0, size);
  return -RT_EFAULT;
}

/* In a program that has the task's address, the same reads know it. */
static RT_SLOW int64_t rt_probe_read_task(void* to, uint64_t size, uint64_t from) {
  return from >> 63 && rt_task_read(to, size, from) ? 0 : rt_probe_read(to, size, from);
}

static RT_SLOW int64_t rt_probe_read_task_str(void* to, uint64_t size, uint64_t from) {
  uint64_t length = from >> 63 && size ? rt_task_read_str(to, size, from) : 0;
  return length ? (int64_t)length : rt_probe_read_str(to, size, from);
}

#define READ(name, suffix)                                                                         \
  RT_HELPER uint64_t __bpfaot_rt_##name(rt_env* env, void* to, uint64_t size, uint64_t from) {     \
    (void)env;                                                                                     \
    return (uint64_t)(__bpfaot_rt_reads_task ? rt_probe_read_task##suffix(to, size, from)          \
                                             : rt_probe_read##suffix(to, size, from));             \
  }
READ(probe_read, )
READ(probe_read_user, )
READ(probe_read_kernel, )
READ(probe_read_str, _str)
READ(probe_read_user_str, _str)
READ(probe_read_kernel_str, _str)

/* In the kernel it may wait for a page. Here a read that faults has waited already. */
RT_HELPER uint64_t __bpfaot_rt_copy_from_user(rt_env* env, void* to, uint64_t size, uint64_t from) {
  (void)env;
  return (uint64_t)rt_probe_read(to, size, from);
}
