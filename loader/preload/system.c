/* SPDX-License-Identifier: MIT
 *
 * System calls under the names of a C library, straight to the kernel; see libc.c. Structures are
 * the kernel's own, which glibc's headers share on 64-bit machines (stat, linux_dirent64, utsname).
 */
#define _GNU_SOURCE
#include "loader/preload/system.h"

#include "rt_arch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

long bpfaot_preload_syscall(long number, long a, long b, long c, long d, long e, long f) {
  return rt_syscall6(number, a, b, c, d, e, f);
}

static long finish(long result) {
  if (result < 0 && result > -4096) {
    errno = (int)-result;
    return -1;
  }
  return result;
}

#define CALL(number, ...) CALL_(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...)                                                       \
  finish(rt_syscall6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

long bpfaot_preload_pid(void) { return rt_syscall6(SYS_getpid, 0, 0, 0, 0, 0, 0); }

void bpfaot_preload_write_error(const char* text, size_t size) {
  (void)rt_syscall6(SYS_write, 2, (long)text, (long)size, 0, 0, 0);
}

void bpfaot_preload_exit(int status) {
  for (;;)
    rt_syscall6(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const int mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, int) : 0;
  va_end(list);
  return (int)CALL(SYS_openat, AT_FDCWD, path, flags, mode);
}
int close(int fd) { return (int)CALL(SYS_close, fd); }
ssize_t read(int fd, void* to, size_t size) { return CALL(SYS_read, fd, to, size); }
ssize_t write(int fd, const void* from, size_t size) { return CALL(SYS_write, fd, from, size); }
ssize_t pread(int fd, void* to, size_t size, off_t at) { return CALL(SYS_pread64, fd, to, size, at); }
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  return CALL(SYS_pwrite64, fd, from, size, at);
}
off_t lseek(int fd, off_t at, int whence) { return CALL(SYS_lseek, fd, at, whence); }
int ftruncate(int fd, off_t size) { return (int)CALL(SYS_ftruncate, fd, size); }
int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const long argument = va_arg(list, long);
  va_end(list);
  return (int)CALL(SYS_fcntl, fd, command, argument);
}
int memfd_create(const char* name, unsigned flags) { return (int)CALL(SYS_memfd_create, name, flags); }
int fstat(int fd, struct stat* out) { return (int)CALL(SYS_newfstatat, fd, "", out, AT_EMPTY_PATH); }
int stat(const char* restrict path, struct stat* restrict out) {
  return (int)CALL(SYS_newfstatat, AT_FDCWD, path, out, 0);
}
int lstat(const char* restrict path, struct stat* restrict out) {
  return (int)CALL(SYS_newfstatat, AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}
int access(const char* path, int mode) { return (int)CALL(SYS_faccessat, AT_FDCWD, path, mode); }
int mkdir(const char* path, mode_t mode) { return (int)CALL(SYS_mkdirat, AT_FDCWD, path, mode); }
int link(const char* from, const char* to) { return (int)CALL(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlink(const char* path) { return (int)CALL(SYS_unlinkat, AT_FDCWD, path, 0); }
int rename(const char* from, const char* to) {
  return (int)CALL(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
ssize_t readlink(const char* restrict path, char* restrict to, size_t size) {
  return CALL(SYS_readlinkat, AT_FDCWD, path, to, size);
}
/* What may lie anywhere is wished far from code: the kernel's own choice would be next to the
 * libraries, where a place that was found free for trampolines has to stay free. */
void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  static uintptr_t away = (uintptr_t)64 << 30;
  if (at == 0) {
    at = (void*)away;
    away += (size + 0xffff) & ~(uintptr_t)0xffff;
  }
  return (void*)CALL(SYS_mmap, at, size, protection, flags, fd, offset);
}
int madvise(void* at, size_t size, int advice) { return (int)CALL(SYS_madvise, at, size, advice); }
int munmap(void* at, size_t size) { return (int)CALL(SYS_munmap, at, size); }
int mprotect(void* at, size_t size, int protection) { return (int)CALL(SYS_mprotect, at, size, protection); }
pid_t gettid(void) { return (pid_t)CALL(SYS_gettid, 0); }
int nanosleep(const struct timespec* time, struct timespec* rest) {
  return (int)CALL(SYS_nanosleep, time, rest);
}
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[3];
  for (int i = 0; i < 3; i++)
    a[i] = va_arg(list, long);
  va_end(list);
  return CALL(number, a[0], a[1], a[2]);
}
pid_t getpid(void) { return (pid_t)CALL(SYS_getpid, 0); }
uid_t geteuid(void) { return (uid_t)CALL(SYS_geteuid, 0); }
int uname(struct utsname* out) { return (int)CALL(SYS_uname, out); }
ssize_t getrandom(void* to, size_t size, unsigned flags) { return CALL(SYS_getrandom, to, size, flags); }
ssize_t sendmsg(int fd, const struct msghdr* message, int flags) { return CALL(SYS_sendmsg, fd, message, flags); }
ssize_t recvmsg(int fd, struct msghdr* message, int flags) { return CALL(SYS_recvmsg, fd, message, flags); }

/* Libraries of the host may have been built for other page sizes, the kernel has one. */
long sysconf(int name) {
  if (name == _SC_PAGESIZE) {
    const unsigned long size = getauxval(AT_PAGESZ);
    return size != 0 ? (long)size : 4096;
  }
  errno = EINVAL;
  return -1;
}

unsigned long getauxval(unsigned long key) {
  struct {
    unsigned long key, value;
  } pairs[64];
  const int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd < 0 ? 0 : read(fd, pairs, sizeof pairs);
  if (fd >= 0)
    close(fd);
  for (ssize_t i = 0; (i + 1) * (ssize_t)sizeof pairs[0] <= size; ++i)
    if (pairs[i].key == key)
      return pairs[i].value;
  return 0;
}
/* libgcc's own copy of the question, for atomics that differ between processors. */
unsigned long __getauxval(unsigned long key) { return getauxval(key); }

/* What <sys/sysmacros.h> calls: the kernel's encoding of a device number, as stat gives it. */
unsigned gnu_dev_major(dev_t device) {
  return (unsigned)((device >> 8 & 0xfff) | (device >> 32 & 0xfffff000));
}
unsigned gnu_dev_minor(dev_t device) {
  return (unsigned)((device & 0xff) | (device >> 12 & 0xffffff00));
}

#ifdef SYS_riscv_flush_icache
/* What __builtin___clear_cache calls there. */
int __riscv_flush_icache(void* start, void* end, unsigned long flags) {
  return (int)CALL(SYS_riscv_flush_icache, start, end, flags);
}
#endif
