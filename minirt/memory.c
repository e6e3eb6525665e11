/* SPDX-License-Identifier: MIT
 *
 * The memory functions that the compiler may call by itself. They keep the attribute no-builtins
 * when minirt is linked into an image, or LLVM would turn them into calls of themselves.
 */
#ifdef BPFAOT_MINIRT_BITCODE /* natively libc has them */

#include <stddef.h>
#include <stdint.h>

void* memcpy(void* restrict to, const void* restrict from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);
int bcmp(const void* a, const void* b, size_t size);

/* An access of a word at any address, which may alias anything. */
typedef struct __attribute__((packed, may_alias)) {
  uint64_t value;
} word;

void* memcpy(void* restrict to, const void* restrict from, size_t size) {
  unsigned char* d = to;
  const unsigned char* s = from;
  for (; size >= 8; size -= 8, d += 8, s += 8)
    ((word*)d)->value = ((const word*)s)->value;
  for (; size; size--)
    *d++ = *s++;
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  unsigned char* d = to;
  const unsigned char* s = from;
  if ((uintptr_t)d - (uintptr_t)s >= size) { /* also when d is below s */
    for (; size >= 8; size -= 8, d += 8, s += 8)
      ((word*)d)->value = ((const word*)s)->value;
    for (; size; size--)
      *d++ = *s++;
    return to;
  }
  for (; size >= 8; size -= 8)
    ((word*)(d + size - 8))->value = ((const word*)(s + size - 8))->value;
  for (; size; size--)
    d[size - 1] = s[size - 1];
  return to;
}

void* memset(void* to, int value, size_t size) {
  unsigned char* d = to;
  uint64_t pattern = 0x0101010101010101u * (uint8_t)value;
  for (; size >= 8; size -= 8, d += 8)
    ((word*)d)->value = pattern;
  for (; size; size--)
    *d++ = (unsigned char)value;
  return to;
}

int memcmp(const void* a, const void* b, size_t size) {
  const unsigned char *x = a, *y = b;
  for (; size >= 8 && ((const word*)x)->value == ((const word*)y)->value; size -= 8) {
    x += 8;
    y += 8;
  }
  for (; size; size--, x++, y++) {
    if (*x != *y)
      return *x - *y;
  }
  return 0;
}

int bcmp(const void* a, const void* b, size_t size) {
  return memcmp(a, b, size);
}

#else
typedef int rt_memory_is_libc; /* ISO C wants a declaration in every file */
#endif
