/* SPDX-License-Identifier: MIT
 *
 * trace_printk and trace_vprintk: the formats that the kernel's helpers accept
 * (bpf_bprintf_prepare), into a record of the hidden printk ring. The text is made twice: once to
 * know its length, once into the record. What changes in between (strings of the program) is cut at
 * that length. snprintf: the same formats into the program's memory.
 *
 * Addresses: %p, %px and %pK give the plain address in 16 digits (the kernel hashes %p to keep its
 * own layout secret), %ps, %pS and %pB give it as 0x…, since nothing here knows symbols.
 */
#include "minirt/helpers.h"
#include "minirt/probe_read.h"
#include "minirt/ring.h"

enum { kMaxText = 1024, kMaxFormat = 512, kMaxString = 256, kMaxArgs = 12 };

struct text {
  char* to; /* null: count only */
  uint32_t length, room;
};

struct spec {
  bool zero, left, plus, space;
  uint32_t width;
};

static void put(struct text* t, char c) {
  if (t->length < t->room) {
    if (t->to)
      t->to[t->length] = c;
    t->length++;
  }
}

static void put_padded(struct text* t, const struct spec* spec, const char* sign,
                       const char* digits, uint32_t count) {
  uint32_t length = count + (sign[0] != 0);
  uint32_t padding = spec->width > length ? spec->width - length : 0;
  if (!spec->left && !spec->zero) {
    for (; padding; padding--)
      put(t, ' ');
  }
  if (sign[0])
    put(t, sign[0]);
  if (!spec->left) {
    for (; padding; padding--)
      put(t, '0');
  }
  for (uint32_t i = 0; i < count; i++)
    put(t, digits[i]);
  for (; padding; padding--)
    put(t, ' ');
}

static void put_number(struct text* t, const struct spec* spec, uint64_t value, uint32_t base,
                       bool is_signed, bool upper) {
  char digits[20];
  uint32_t at = sizeof digits;
  bool negative = is_signed && (int64_t)value < 0;
  uint64_t rest = negative ? 0 - value : value;
  do {
    uint32_t digit = (uint32_t)(rest % base);
    digits[--at] = (char)(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
    rest /= base;
  } while (rest);
  const char* sign = negative ? "-" : !is_signed ? "" : spec->plus ? "+" : spec->space ? " " : "";
  put_padded(t, spec, sign, digits + at, (uint32_t)sizeof digits - at);
}

static void put_hex(struct text* t, uint64_t value, uint32_t digits) {
  struct spec spec = {.zero = true, .width = digits};
  put_number(t, &spec, value, 16, false, false);
}

static void put_string(struct text* t, struct spec spec, uint64_t address) {
  char text[kMaxString];
  int64_t size = rt_probe_read_str(text, sizeof text, address);
  spec.zero = false;
  put_padded(t, &spec, "", text, size > 0 ? (uint32_t)size - 1 : 0);
}

/* %pI4 %pi4 %pI6 %pi6: the address is in memory. */
static void put_ip(struct text* t, char style, char version, uint64_t address) {
  uint8_t bytes[16];
  uint32_t size = version == '4' ? 4 : 16;
  rt_probe_read(bytes, size, address);
  for (uint32_t i = 0; i < size; i++) {
    if (version == '4') {
      struct spec spec = {.zero = true, .width = style == 'i' ? 3 : 0};
      if (i)
        put(t, '.');
      put_number(t, &spec, bytes[i], 10, false, false);
    } else {
      if (i && i % 2 == 0 && style == 'I')
        put(t, ':');
      put_hex(t, bytes[i], 2);
    }
  }
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_text(char c) {
  return (c >= ' ' && c <= '~') || is_space(c);
}
static bool is_punctuation(char c) {
  return c > ' ' && c <= '~' && !is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

static const char* parse_flags(const char* f, struct spec* spec) {
  for (;; f++) {
    if (*f == '0')
      spec->zero = true;
    else if (*f == '-')
      spec->left = true;
    else if (*f == '+')
      spec->plus = true;
    else if (*f == ' ')
      spec->space = true;
    else
      break;
  }
  for (; is_digit(*f); f++)
    spec->width = spec->width > kMaxText ? spec->width : spec->width * 10 + (uint32_t)(*f - '0');
  return f;
}

/* After "%…p": returns what follows the conversion, or null. */
static const char* put_pointer(struct text* t, const char* f, const struct spec* spec,
                               uint64_t arg) {
  if ((f[0] == 'k' || f[0] == 'u') && f[1] == 's') {
    put_string(t, *spec, arg);
    return f + 2;
  }
  if ((f[0] == 'i' || f[0] == 'I') && (f[1] == '4' || f[1] == '6')) {
    put_ip(t, f[0], f[1], arg);
    return f + 2;
  }
  if (f[0] == 's' || f[0] == 'S' || f[0] == 'B') {
    put(t, '0');
    put(t, 'x');
    put_number(t, &(struct spec){0}, arg, 16, false, false);
    return f + 1;
  }
  bool plain = !f[0] || is_space(f[0]) || is_punctuation(f[0]);
  if (!plain && f[0] != 'x' && f[0] != 'K')
    return NULL;
  struct spec digits = {.zero = !spec->left, .left = spec->left, .width = 16};
  put_number(t, &digits, arg, 16, false, false);
  return plain ? f : f + 1;
}

/* After '%', its flags and width: one conversion. */
static const char* put_conversion(struct text* t, const char* f, const struct spec* spec,
                                  uint64_t arg) {
  if (*f == 'p')
    return put_pointer(t, f + 1, spec, arg);
  if (*f == 's') {
    put_string(t, *spec, arg);
    return f + 1;
  }
  if (*f == 'c') {
    char c = (char)arg;
    struct spec padding = *spec;
    padding.zero = false;
    put_padded(t, &padding, "", &c, 1);
    return f + 1;
  }
  uint32_t longs = 0;
  for (; *f == 'l' && longs < 2; f++)
    longs++;
  bool is_signed = *f == 'd' || *f == 'i';
  if (!is_signed && *f != 'u' && *f != 'x' && *f != 'X')
    return NULL;
  uint64_t value = longs ? arg : is_signed ? (uint64_t)(int64_t)(int32_t)arg : (uint32_t)arg;
  put_number(t, spec, value, *f == 'x' || *f == 'X' ? 16 : 10, is_signed, *f == 'X');
  return f + 1;
}

/* 0 or -EINVAL. `f` ends with NUL. */
static int64_t format_text(struct text* t, const char* f, const uint64_t* args, uint32_t count) {
  uint32_t used = 0;
  while (*f) {
    if (!is_text(*f))
      return -RT_EINVAL;
    if (*f != '%') {
      put(t, *f++);
      continue;
    }
    if (f[1] == '%') {
      put(t, '%');
      f += 2;
      continue;
    }
    struct spec spec = {0};
    f = parse_flags(f + 1, &spec);
    if (used >= count)
      return -RT_EINVAL;
    f = put_conversion(t, f, &spec, args[used++]);
    if (!f)
      return -RT_EINVAL;
  }
  return 0;
}

static void emit(rt_env* env, const char* format, const uint64_t* args, uint32_t count,
                 uint32_t length) {
  uint32_t map = __bpfaot_rt.printk_map;
  if (map >= __bpfaot_rt.map_count)
    return;
  const struct bpfaot_map_slot* slot = &__bpfaot_rt.maps[map];
  const struct bpfaot_map_header* h = (const struct bpfaot_map_header*)slot->header;
  if (!h || h->type != RT_MAP_RINGBUF)
    return;
  uint64_t ids = __bpfaot_rt_get_current_pid_tgid(env);
  struct bpfaot_printk_record* record =
      rt_ring_reserve(h, (void*)slot->data, sizeof *record + length + 1, map, (uint32_t)ids);
  if (!record)
    return;
  record->time_ns = rt_clock(1);
  record->tgid = (uint32_t)(ids >> 32);
  record->tid = (uint32_t)ids;
  record->cpu = rt_cpu_number();
  __bpfaot_rt_get_current_comm(env, record->comm, sizeof record->comm);
  struct text text = {record->text, 0, length};
  format_text(&text, format, args, count);
  record->text_size = text.length;
  __builtin_memset(record->text + text.length, 0, length + 1 - text.length);
  rt_ring_finish(h, (void*)slot->data, record, false);
}

/* It may be in shared memory: what was checked is what is used. False: no terminator. */
static bool copy_format(char copy[kMaxFormat], const char* format, uint64_t size) {
  uint64_t end = 0;
  while (end < size && end < kMaxFormat && (copy[end] = format[end]) != 0)
    end++;
  return end != size && end != kMaxFormat;
}

/* The length of the text, as the kernel returns it, or -EINVAL. */
static RT_SLOW int64_t print(rt_env* env, const char* format, uint64_t size, const uint64_t* args,
                             uint32_t count) {
  char copy[kMaxFormat];
  if (!copy_format(copy, format, size))
    return -RT_EINVAL;
  struct text counter = {NULL, 0, kMaxText - 1};
  int64_t result = format_text(&counter, copy, args, count);
  if (result)
    return result;
  emit(env, copy, args, count, counter.length);
  return counter.length;
}

RT_HELPER uint64_t __bpfaot_rt_trace_printk(rt_env* env, const void* format, uint64_t format_size,
                                            uint64_t a, uint64_t b, uint64_t c) {
  uint64_t args[3] = {a, b, c};
  return (uint64_t)print(env, format, format_size, args, 3);
}

RT_INLINE bool copy_args(uint64_t copy[kMaxArgs], const void* args, uint64_t size) {
  __builtin_memset(copy, 0, kMaxArgs * sizeof *copy);
  if ((size & 7) || size > kMaxArgs * sizeof *copy || (size && !args))
    return false;
  for (uint32_t i = 0; i < size / 8; i++)
    __builtin_memcpy(&copy[i], (const uint8_t*)args + 8 * i, 8);
  return true;
}

RT_HELPER uint64_t __bpfaot_rt_trace_vprintk(rt_env* env, const void* format, uint64_t format_size,
                                             const void* args, uint64_t args_size) {
  uint64_t copy[kMaxArgs];
  if (!copy_args(copy, args, args_size))
    return (uint64_t)-RT_EINVAL;
  return (uint64_t)print(env, format, format_size, copy, (uint32_t)(args_size / 8));
}

/* The length that the text would have with its terminator, however little of it there is room for. */
static RT_SLOW int64_t format_into(char* to, uint64_t size, const char* format, uint64_t room,
                                   const uint64_t* args, uint32_t count) {
  char copy[kMaxFormat];
  if (!copy_format(copy, format, room))
    return -RT_EINVAL;
  struct text counter = {NULL, 0, INT32_MAX};
  int64_t result = format_text(&counter, copy, args, count);
  if (result)
    return result;
  if (size) {
    struct text text = {to, 0, (uint32_t)(size - 1)};
    format_text(&text, copy, args, count);
    to[text.length] = 0;
  }
  return (int64_t)counter.length + 1;
}

RT_HELPER uint64_t __bpfaot_rt_snprintf(rt_env* env, void* to, uint64_t size, const void* format,
                                        uint64_t room, const void* args, uint64_t args_size) {
  (void)env;
  uint64_t copy[kMaxArgs];
  if (!copy_args(copy, args, args_size))
    return (uint64_t)-RT_EINVAL;
  return (uint64_t)format_into(to, size, format, room, copy, (uint32_t)(args_size / 8));
}
