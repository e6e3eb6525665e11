/* SPDX-License-Identifier: MIT
 *
 * strncmp, strtol and strtoul as kernel/bpf/helpers.c has them.
 */
#include "minirt/helpers.h"
#include "minirt/rt.h"

enum { kBaseMask = 31, kMostDigits = 63 };

/* `constant` ends at its terminator or, where the loader has set another text, with its section. */
static RT_SLOW int64_t compare(const uint8_t* text, uint64_t size, const uint8_t* constant,
                               uint64_t room) {
  for (uint64_t i = 0; i < size; i++) {
    uint8_t a = text[i], b = i < room ? constant[i] : 0;
    if (a != b)
      return a < b ? -1 : 1;
    if (!a)
      break;
  }
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_strncmp(rt_env* env, const void* text, uint64_t size,
                                       const void* constant, uint64_t room) {
  (void)env;
  return (uint64_t)compare(text, size, constant, room);
}

/* isspace() of the kernel's table: ASCII, and the no-break space of Latin-1. */
static bool is_space(uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

/* The digit's value in any base; 99: no digit. */
static uint32_t digit_of(uint8_t c) {
  uint8_t lower = c | 32;
  if (c >= '0' && c <= '9')
    return (uint32_t)(c - '0');
  return lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a') + 10 : 99;
}

struct number {
  uint64_t value;
  bool negative;
};

/* Bytes consumed, or an error. Digits behind the 63rd byte are not looked at. */
static RT_SLOW int64_t parse(const uint8_t* text, uint64_t size, uint64_t flags,
                             struct number* out) {
  uint32_t base = (uint32_t)flags & kBaseMask;
  if ((base != 0 && base != 8 && base != 10 && base != 16) || (flags & ~(uint64_t)kBaseMask))
    return -RT_EINVAL;
  uint64_t at = 0;
  while (at < size && is_space(text[at]))
    at++;
  out->negative = at < size && text[at] == '-';
  at += out->negative;
  if (at == size)
    return -RT_EINVAL;
  uint8_t digits[kMostDigits + 1];
  uint64_t count = size - at < kMostDigits ? size - at : kMostDigits;
  for (uint64_t i = 0; i < count; i++)
    digits[i] = text[at + i];
  digits[count] = 0;
  uint64_t used = 0;
  bool hexadecimal = digits[0] == '0' && (digits[1] | 32) == 'x';
  if (base == 0)
    base = digits[0] != '0' ? 10 : hexadecimal && digit_of(digits[2]) < 16 ? 16 : 8;
  if (base == 16 && hexadecimal)
    used = 2;
  uint64_t value = 0, first = used;
  bool overflow = false;
  for (uint32_t digit; (digit = digit_of(digits[used])) < base; used++) {
    overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
    overflow |= __builtin_add_overflow(value, (uint64_t)digit, &value);
  }
  if (overflow)
    return -RT_ERANGE;
  if (used == first)
    return -RT_EINVAL;
  out->value = value;
  return (int64_t)(at + used);
}

RT_HELPER uint64_t __bpfaot_rt_strtol(rt_env* env, const void* text, uint64_t size, uint64_t flags,
                                      void* to) {
  (void)env;
  struct number number = {0, false};
  int64_t used = parse(text, size, flags, &number);
  uint64_t least = (uint64_t)1 << 63, value = number.negative ? 0 - number.value : number.value;
  if (used > 0 && number.value > (number.negative ? least : least - 1))
    used = -RT_ERANGE;
  if (used < 0)
    value = 0;
  __builtin_memcpy(to, &value, sizeof value);
  return (uint64_t)used;
}

RT_HELPER uint64_t __bpfaot_rt_strtoul(rt_env* env, const void* text, uint64_t size, uint64_t flags,
                                       void* to) {
  (void)env;
  struct number number = {0, false};
  int64_t used = parse(text, size, flags, &number);
  if (used >= 0 && number.negative)
    used = -RT_EINVAL;
  uint64_t value = used < 0 ? 0 : number.value;
  __builtin_memcpy(to, &value, sizeof value);
  return (uint64_t)used;
}
