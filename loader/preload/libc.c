/* SPDX-License-Identifier: MIT
 *
 * The functions of a C library that the loader's code calls when it runs inside somebody else's
 * program: bytes and strings, errno, and what the compiler asks for. The host's C library is not
 * used: which one it is is not known, it may not be initialised yet, and its functions may be the
 * ones that are being patched. All symbols are hidden; what nobody calls is dropped by the linker.
 * System calls are in system.c.
 */
#include "loader/preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One thread runs this, and the host's errno is another variable. */
static int error_number;
int* __errno_location(void) { return &error_number; }

void* memcpy(void* restrict to, const void* restrict from, size_t size) {
  char* t = to;
  const char* f = from;
  for (size_t i = 0; i < size; ++i)
    t[i] = f[i];
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  char* t = to;
  const char* f = from;
  if (t <= f || t >= f + size) {
    for (size_t i = 0; i < size; ++i)
      t[i] = f[i];
  } else {
    for (size_t i = size; i-- > 0;)
      t[i] = f[i];
  }
  return to;
}

void* memset(void* to, int value, size_t size) {
  char* t = to;
  for (size_t i = 0; i < size; ++i)
    t[i] = (char)value;
  return to;
}

int memcmp(const void* a, const void* b, size_t size) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < size; ++i)
    if (x[i] != y[i])
      return x[i] < y[i] ? -1 : 1;
  return 0;
}

int bcmp(const void* a, const void* b, size_t size) { return memcmp(a, b, size); }

void* memchr(const void* in, int value, size_t size) {
  const unsigned char* p = in;
  for (size_t i = 0; i < size; ++i)
    if (p[i] == (unsigned char)value)
      return (void*)(uintptr_t)(p + i);
  return 0;
}

size_t strlen(const char* text) {
  size_t size = 0;
  while (text[size] != '\0')
    ++size;
  return size;
}

size_t strnlen(const char* text, size_t limit) {
  size_t size = 0;
  while (size < limit && text[size] != '\0')
    ++size;
  return size;
}

int strcmp(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char* a, const char* b, size_t limit) {
  for (size_t i = 0; i < limit; ++i) {
    if (a[i] != b[i])
      return (unsigned char)a[i] - (unsigned char)b[i];
    if (a[i] == '\0')
      break;
  }
  return 0;
}

char* strncpy(char* restrict to, const char* restrict from, size_t size) {
  size_t i = 0;
  for (; i < size && from[i] != '\0'; ++i)
    to[i] = from[i];
  for (; i < size; ++i)
    to[i] = '\0';
  return to;
}

/* Only asked whether a record of the registry is a link to somewhere else: it is none. */
char* realpath(const char* restrict path, char* restrict resolved) {
  (void)path;
  (void)resolved;
  errno = ENOSYS;
  return 0;
}

/* Variables of floating point types cannot be set from in here: nothing is parsed. */
double strtod(const char* restrict text, char** restrict end) {
  if (end != 0)
    *end = (char*)(uintptr_t)text;
  return 0;
}

/* The errors that setting up a probe can meet; others by number. */
char* strerror(int error) {
  static const struct {
    int error;
    const char* text;
  } kTexts[] = {
      {EPERM, "Operation not permitted"}, {ENOENT, "No such file or directory"},
      {EIO, "Input/output error"},        {ENOMEM, "Cannot allocate memory"},
      {EACCES, "Permission denied"},      {EEXIST, "File exists"},
      {EINVAL, "Invalid argument"},       {EMFILE, "Too many open files"},
      {ENOSYS, "Function not implemented"}, {ENOSPC, "No space left on device"},
      {EROFS, "Read-only file system"},   {ENOTDIR, "Not a directory"},
  };
  static char other[16];
  for (size_t i = 0; i < sizeof kTexts / sizeof kTexts[0]; ++i)
    if (kTexts[i].error == error)
      return (char*)(uintptr_t)kTexts[i].text;
  memcpy(other, "error ", 6);
  size_t at = 6;
  for (int unit = 1000; unit > 0; unit /= 10)
    if (error >= unit || unit == 1)
      other[at++] = (char)('0' + error / unit % 10);
  other[at] = '\0';
  return other;
}

/* Broken invariants of ours, and memory that is not there: the program cannot go on as asked, and
 * half a patch must not stay. Nothing of the host runs on the way out. */
_Noreturn void bpfaot_preload_die(const char* why) {
  static const char kHead[] = "libbpfaot-preload.so: internal error: ";
  bpfaot_preload_write_error(kHead, sizeof kHead - 1);
  bpfaot_preload_write_error(why, strlen(why));
  bpfaot_preload_write_error("\n", 1);
  bpfaot_preload_exit(70);
}

void abort(void) { bpfaot_preload_die("aborted"); }

void __assert_fail(const char* what, const char* file, unsigned line, const char* function) {
  (void)file;
  (void)line;
  (void)function;
  bpfaot_preload_die(what);
}

/* The environment of the loader's code here: what has been handed over, never the host's. */
char* getenv(const char* name) { return (char*)(uintptr_t)bpfaot_preload_variable(name); }
