/* SPDX-License-Identifier: MIT
 *
 * Helpers of packet programs on a packet in one piece of memory, which is nobody else's while the
 * program runs. Results and their order are the kernel's for a packet in linear memory, with the
 * checksum in software. Checksums: RFC 1071, RFC 1624; a sum is kept in 32 bits and folded at last.
 */
#include "minirt/helpers.h"
#include "minirt/rt.h"

enum {
  kEthernet = 14,
  kLongest = 16064, /* that a helper makes: four pages without the kernel's own data */
  kWidth = 0xf,            /* BPF_F_HDR_FIELD_MASK */
  kPseudoHeader = 1 << 4,  /* BPF_F_PSEUDO_HDR */
  kMangledZero = 1 << 5,   /* BPF_F_MARK_MANGLED_0 */
  kMarkEnforce = 1 << 6,   /* BPF_F_MARK_ENFORCE */
  kIpv6 = 1 << 7,          /* BPF_F_IPV6 */
  kRecompute = 1 << 0,     /* BPF_F_RECOMPUTE_CSUM */
  kInvalidateHash = 1 << 1 /* BPF_F_INVALIDATE_HASH */
};

static void copy(void* to, const void* from, uint32_t size) {
  __builtin_memmove(to, from, size);
}

RT_INLINE struct bpfaot_packet* packet_of(void* ctx) {
  return (struct bpfaot_packet*)ctx;
}

RT_INLINE uint32_t length_of(const struct bpfaot_packet* p) {
  return (uint32_t)(p->data_end - p->data);
}

/* [offset, offset + size) from `start` when it lies before the packet's end. */
RT_INLINE uint8_t* piece(const struct bpfaot_packet* p, uint64_t start, uint32_t offset,
                         uint32_t size) {
  uint64_t room = p->data_end - start;
  if (start > p->data_end || offset > room || size > room - offset)
    return NULL;
  return (uint8_t*)(start + offset);
}

static uint64_t load_bytes(const struct bpfaot_packet* p, uint64_t start, uint32_t offset, void* to,
                           uint32_t size) {
  const uint8_t* from = piece(p, start, offset, size);
  if (!from) {
    __builtin_memset(to, 0, size);
    return (uint64_t)-RT_EFAULT;
  }
  copy(to, from, size);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_skb_load_bytes(rt_env* env, void* ctx, uint64_t offset, void* to,
                                              uint64_t size) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  return load_bytes(p, p->data, (uint32_t)offset, to, (uint32_t)size);
}

RT_HELPER uint64_t __bpfaot_rt_skb_load_bytes_relative(rt_env* env, void* ctx, uint64_t offset,
                                                       void* to, uint64_t size, uint64_t start) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  uint32_t where = (uint32_t)start;
  uint64_t header = where == 0 ? p->mac : where == 1 ? p->network : 0;
  if ((uint32_t)offset > 0xffff || !header) {
    __builtin_memset(to, 0, (uint32_t)size);
    return (uint64_t)-RT_EFAULT;
  }
  return load_bytes(p, header, (uint32_t)offset, to, (uint32_t)size);
}

RT_HELPER uint64_t __bpfaot_rt_skb_store_bytes(rt_env* env, void* ctx, uint64_t offset,
                                               const void* from, uint64_t size, uint64_t flags) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  if (flags & ~(uint64_t)(kRecompute | kInvalidateHash))
    return (uint64_t)-RT_EINVAL;
  uint8_t* to = piece(p, p->data, (uint32_t)offset, (uint32_t)size);
  if (!to)
    return (uint64_t)-RT_EFAULT;
  copy(to, from, (uint32_t)size);
  return 0;
}

/* ---- checksums ---- */

RT_INLINE uint32_t sum_add(uint32_t a, uint32_t b) {
  uint32_t sum = a + b;
  return sum + (sum < b);
}

RT_INLINE uint16_t fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

RT_INLINE uint16_t load16(const uint8_t* p) {
  uint16_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

static uint16_t replaced_by_difference(uint16_t check, uint32_t difference) {
  return fold(sum_add(difference, ~(uint32_t)check));
}

static uint16_t replaced4(uint16_t check, uint32_t from, uint32_t to) {
  return fold(sum_add(sum_add(~(uint32_t)check, ~from), to));
}

static uint16_t add16(uint16_t a, uint16_t b) {
  uint16_t sum = (uint16_t)(a + b);
  return (uint16_t)(sum + (sum < b));
}

static uint16_t replaced2(uint16_t check, uint16_t from, uint16_t to) {
  return (uint16_t)~add16(add16((uint16_t)~check, (uint16_t)~from), to);
}

RT_HELPER uint64_t __bpfaot_rt_l3_csum_replace(rt_env* env, void* ctx, uint64_t offset,
                                               uint64_t from, uint64_t to, uint64_t flags) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  uint32_t at = (uint32_t)offset;
  if (flags & ~(uint64_t)kWidth)
    return (uint64_t)-RT_EINVAL;
  uint8_t* place = at > 0xffff || (at & 1) ? NULL : piece(p, p->data, at, 2);
  if (!place)
    return (uint64_t)-RT_EFAULT;
  uint16_t check = load16(place);
  switch (flags & kWidth) {
  case 0:
    if (from)
      return (uint64_t)-RT_EINVAL;
    check = replaced_by_difference(check, (uint32_t)to);
    break;
  case 2: check = replaced2(check, (uint16_t)from, (uint16_t)to); break;
  case 4: check = replaced4(check, (uint32_t)from, (uint32_t)to); break;
  default: return (uint64_t)-RT_EINVAL;
  }
  __builtin_memcpy(place, &check, sizeof check);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_l4_csum_replace(rt_env* env, void* ctx, uint64_t offset,
                                               uint64_t from, uint64_t to, uint64_t flags) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  uint32_t at = (uint32_t)offset;
  if (flags & ~(uint64_t)(kWidth | kPseudoHeader | kMangledZero | kMarkEnforce | kIpv6))
    return (uint64_t)-RT_EINVAL;
  uint8_t* place = at > 0xffff || (at & 1) ? NULL : piece(p, p->data, at, 2);
  if (!place)
    return (uint64_t)-RT_EFAULT;
  uint16_t check = load16(place);
  bool zero_is_none = flags & kMangledZero;
  if (zero_is_none && !(flags & kMarkEnforce) && !check)
    return 0;
  switch (flags & kWidth) {
  case 0:
    if (from)
      return (uint64_t)-RT_EINVAL;
    check = replaced_by_difference(check, (uint32_t)to);
    break;
  case 2: check = replaced4(check, (uint16_t)from, (uint16_t)to); break;
  case 4: check = replaced4(check, (uint32_t)from, (uint32_t)to); break;
  default: return (uint64_t)-RT_EINVAL;
  }
  if (zero_is_none && !check)
    check = 0xffff;
  __builtin_memcpy(place, &check, sizeof check);
  return 0;
}

static uint32_t sum_words(const uint8_t* words, uint32_t size, uint32_t sum) {
  for (uint32_t i = 0; i < size; i += 4)
    sum = sum_add(sum, rt_load_u32(words + i));
  return sum;
}

/* As the kernel since 6.13 on all machines: folded to 16 bits, not inverted. Zero has two forms, and
 * which one results depends on the order of the operations. */
RT_HELPER uint64_t __bpfaot_rt_csum_diff(rt_env* env, const void* from, uint64_t from_size,
                                         const void* to, uint64_t to_size, uint64_t seed) {
  (void)env;
  uint32_t out = (uint32_t)from_size, in = (uint32_t)to_size, sum = (uint32_t)seed;
  if ((out | in) & 3)
    return (uint64_t)-RT_EINVAL;
  if (in)
    sum = sum_words((const uint8_t*)to, in, sum);
  if (in && out)
    sum = sum_add(sum, ~sum_words((const uint8_t*)from, out, 0));
  else if (out)
    sum = ~sum_words((const uint8_t*)from, out, ~sum);
  return (uint16_t)~fold(sum);
}

/* No packet here comes with a checksum from hardware. */
RT_HELPER uint64_t __bpfaot_rt_csum_update(rt_env* env, void* ctx, uint64_t csum) {
  (void)env, (void)ctx, (void)csum;
  return (uint64_t)-RT_ENOTSUPP;
}

/* ---- size and place ---- */

RT_INLINE void set_skb_length(struct bpfaot_packet* p) {
  uint32_t length = length_of(p);
  __builtin_memcpy(p->view, &length, sizeof length);
}

RT_HELPER uint64_t __bpfaot_rt_skb_change_tail(rt_env* env, void* ctx, uint64_t size,
                                               uint64_t flags) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  uint32_t wanted = (uint32_t)size, now = length_of(p);
  uint64_t least = p->network > p->data ? p->network - p->data : 0;
  if (flags || wanted < least || wanted > kLongest)
    return (uint64_t)-RT_EINVAL;
  if (wanted > p->tail - p->data)
    return (uint64_t)-RT_ENOMEM;
  if (wanted > now)
    __builtin_memset((void*)p->data_end, 0, wanted - now);
  p->data_end = p->data + wanted;
  set_skb_length(p);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_skb_pull_data(rt_env* env, void* ctx, uint64_t size) {
  (void)env;
  return (uint32_t)size > length_of(packet_of(ctx)) ? (uint64_t)-RT_ENOMEM : 0;
}

RT_HELPER uint64_t __bpfaot_rt_xdp_adjust_head(rt_env* env, void* ctx, uint64_t offset) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  int64_t by = (int32_t)offset;
  int64_t meta = (int64_t)(p->data - p->data_meta);
  int64_t headroom = (int64_t)(p->data - p->head);
  if (headroom + by < meta || by > (int64_t)length_of(p) - kEthernet ||
      (int64_t)length_of(p) - by > (int64_t)BPFAOT_PACKET_MAX)
    return (uint64_t)-RT_EINVAL;
  if (meta)
    copy((void*)(p->data_meta + (uint64_t)by), (const void*)p->data_meta, (uint32_t)meta);
  p->data_meta += (uint64_t)by;
  p->data += (uint64_t)by;
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_xdp_adjust_meta(rt_env* env, void* ctx, uint64_t offset) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  int64_t by = (int32_t)offset;
  int64_t headroom = (int64_t)(p->data_meta - p->head);
  int64_t length = (int64_t)(p->data - p->data_meta) - by;
  if (headroom + by < 0 || length < 0)
    return (uint64_t)-RT_EINVAL;
  if ((length & 3) || length > 255) /* what the kernel can carry along with a packet */
    return (uint64_t)-RT_EACCES;
  p->data_meta += (uint64_t)by;
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_xdp_adjust_tail(rt_env* env, void* ctx, uint64_t offset) {
  (void)env;
  struct bpfaot_packet* p = packet_of(ctx);
  int64_t by = (int32_t)offset, length = (int64_t)length_of(p) + by;
  if (by > (int64_t)(p->tail - p->data_end) || length < kEthernet ||
      length > (int64_t)BPFAOT_PACKET_MAX)
    return (uint64_t)-RT_EINVAL;
  if (by > 0)
    __builtin_memset((void*)p->data_end, 0, (uint64_t)by);
  p->data_end += (uint64_t)by;
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_xdp_get_buff_len(rt_env* env, void* ctx) {
  (void)env;
  return length_of(packet_of(ctx));
}

static uint8_t* xdp_piece(struct bpfaot_packet* p, uint32_t offset, uint32_t size, uint64_t* error) {
  *error = (uint64_t)-(offset > 0xffff || size > 0xffff ? RT_EFAULT : RT_EINVAL);
  return offset > 0xffff || size > 0xffff ? NULL : piece(p, p->data, offset, size);
}

RT_HELPER uint64_t __bpfaot_rt_xdp_load_bytes(rt_env* env, void* ctx, uint64_t offset, void* to,
                                              uint64_t size) {
  (void)env;
  uint64_t error;
  const uint8_t* from = xdp_piece(packet_of(ctx), (uint32_t)offset, (uint32_t)size, &error);
  if (!from)
    return error;
  copy(to, from, (uint32_t)size);
  return 0;
}

RT_HELPER uint64_t __bpfaot_rt_xdp_store_bytes(rt_env* env, void* ctx, uint64_t offset,
                                               const void* from, uint64_t size) {
  (void)env;
  uint64_t error;
  uint8_t* to = xdp_piece(packet_of(ctx), (uint32_t)offset, (uint32_t)size, &error);
  if (!to)
    return error;
  copy(to, from, (uint32_t)size);
  return 0;
}
