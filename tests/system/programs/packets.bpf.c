// SPDX-License-Identifier: MIT
// Programs of the packet kinds: each is run on each packet here and in the kernel, and both must
// return the same number and leave the same packet.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Two fields in a row are two fields.
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int xdp_length(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  return (int)(end - data) * 8 + (ctx->data_meta == ctx->data) + ctx->ingress_ifindex * 2 + ctx->rx_queue_index * 4;
}

// Header after header, with a length that the packet itself gives.
SEC("xdp")
int xdp_parse(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > end)
    return -1;
  if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip6 = (void *)(eth + 1);
    if ((void *)(ip6 + 1) > end)
      return -2;
    return ip6->nexthdr << 8 | ip6->hop_limit;
  }
  if (eth->h_proto != bpf_htons(ETH_P_IP))
    return -3;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end)
    return -4;
  void *l4 = (void *)ip + ip->ihl * 4;
  if (ip->protocol == IPPROTO_TCP) {
    struct tcphdr *tcp = l4;
    if ((void *)(tcp + 1) > end)
      return -5;
    return bpf_ntohs(tcp->dest) << 8 | tcp->doff << 1 | tcp->syn;
  }
  struct udphdr *udp = l4;
  if (end < (void *)(udp + 1))
    return -6;
  return bpf_ntohs(udp->len) + bpf_ntohs(udp->source);
}

// Writes, and a key in the packet.
SEC("xdp")
int xdp_swap(struct xdp_md *ctx) {
  __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  if (data + sizeof(struct ethhdr) > end)
    return XDP_ABORTED;
  for (int i = 0; i < 6; i++) {
    __u8 byte = data[i];
    data[i] = data[i + 6];
    data[i + 6] = byte;
  }
  __u64 one = 1, *count;
  bpf_map_update_elem(&seen, data, &one, BPF_ANY);
  count = bpf_map_lookup_elem(&seen, data);
  return count && *count == 1 ? XDP_TX : XDP_DROP;
}

static __always_inline int sum_bytes(__u8 *data, __u8 *end) {
  int sum = 0;
  for (int i = 0; i < 64; i++) {
    if (data + i + 1 > end)
      break;
    sum = sum * 3 + data[i];
  }
  return sum;
}

SEC("xdp")
int xdp_sum(struct xdp_md *ctx) {
  return sum_bytes((void *)(long)ctx->data, (void *)(long)ctx->data_end);
}

#define XDP_HEAD(name, by)                                                                         \
  SEC("xdp") int name(struct xdp_md *ctx) {                                                        \
    long result = bpf_xdp_adjust_head(ctx, by);                                                    \
    __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;                      \
    if (data + 4 <= end)                                                                           \
      __builtin_memset(data, 0x5a, 4);                                                             \
    return (int)result * 65536 + (int)(end - data);                                                \
  }
XDP_HEAD(xdp_head_grow, -4)
XDP_HEAD(xdp_head_most, -216)
XDP_HEAD(xdp_head_beyond, -217)
XDP_HEAD(xdp_head_shrink, 14)
XDP_HEAD(xdp_head_shrink_much, 1000)

#define XDP_TAIL(name, by)                                                                         \
  SEC("xdp") int name(struct xdp_md *ctx) {                                                        \
    long result = bpf_xdp_adjust_tail(ctx, by);                                                    \
    return (int)result * 65536 + (int)bpf_xdp_get_buff_len(ctx);                                   \
  }
XDP_TAIL(xdp_tail_grow, 64)
XDP_TAIL(xdp_tail_grow_much, 3000)
XDP_TAIL(xdp_tail_beyond, 3520)
XDP_TAIL(xdp_tail_shrink, -20)
XDP_TAIL(xdp_tail_shrink_much, -1400)

SEC("xdp")
int xdp_meta(struct xdp_md *ctx) {
  long result = bpf_xdp_adjust_meta(ctx, -(int)sizeof(__u64));
  __u64 *meta = (void *)(long)ctx->data_meta;
  void *data = (void *)(long)ctx->data;
  if (result || (void *)(meta + 1) > data)
    return -1;
  *meta = 0x1122334455667788;
  result = bpf_xdp_adjust_head(ctx, -8);
  meta = (void *)(long)ctx->data_meta;
  data = (void *)(long)ctx->data;
  if ((void *)(meta + 1) > data)
    return -2;
  return (int)result * 256 + (int)(*meta >> 56) + (int)(data - (void *)meta);
}

SEC("xdp")
int xdp_meta_errors(struct xdp_md *ctx) {
  return (int)(bpf_xdp_adjust_meta(ctx, -3) + 10 * bpf_xdp_adjust_meta(ctx, 4) + 1000 * bpf_xdp_adjust_meta(ctx, -260) +
               100000 * bpf_xdp_adjust_meta(ctx, -252));
}

SEC("xdp")
int xdp_bytes(struct xdp_md *ctx) {
  __u8 piece[8] = "abcdefg";
  long load = bpf_xdp_load_bytes(ctx, 12, piece, sizeof piece);
  int first = piece[0] << 8 | piece[7];
  long store = bpf_xdp_store_bytes(ctx, 30, piece, 4);
  return (int)(load + 100 * store + 10000 * bpf_xdp_load_bytes(ctx, 70000, piece, 1)) + first;
}

SEC("tc")
int tc_fields(struct __sk_buff *skb) {
  return (int)(skb->len + 3 * skb->protocol + 5 * skb->pkt_type + 7 * skb->ifindex + 11 * skb->ingress_ifindex +
               13 * skb->mark + 17 * skb->hash + 19 * skb->vlan_present + 23 * skb->queue_mapping + 29 * skb->napi_id +
               31 * skb->tc_classid + 37 * skb->gso_segs + 41 * skb->gso_size + 43 * skb->wire_len);
}

SEC("tc")
int tc_field_parts(struct __sk_buff *skb) {
  return *(__u8 *)&skb->len + (*(__u16 *)&skb->protocol << 8) + ((__u8 *)&skb->len)[1];
}

SEC("tc")
int tc_field_writes(struct __sk_buff *skb) {
  skb->mark = 0x12345678;
  barrier();
  skb->priority = 0x23456789;
  barrier();
  skb->tc_index = 0x3456789a;
  barrier();
  skb->tc_classid = 0x456789ab;
  barrier();
  skb->queue_mapping = 0x1234;
  barrier();
  skb->cb[0] = 1;
  skb->cb[4] = 0x55667788;
  ((__u8 *)skb->cb)[2] = 7;
  return (int)(skb->mark + skb->priority + skb->tc_index + skb->tc_classid + skb->queue_mapping + skb->cb[0] + skb->cb[1] +
               skb->cb[4]);
}

// data_meta of a packet without metadata, comparisons the other way round
SEC("tc")
int tc_direct(struct __sk_buff *skb) {
  __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *meta = (void *)(long)skb->data_meta;
  if (meta + 1 <= data)
    return -1;
  if (end >= data + 20) {
    data[19] ^= 0xff;
    data[14] = 0;
    return data[18] << 8 | data[19];
  }
  return (int)(end - data);
}

SEC("tc")
int tc_bytes(struct __sk_buff *skb) {
  __u8 piece[16] = "abcdefghijklmno";
  long a = bpf_skb_load_bytes(skb, 6, piece, 8), b = bpf_skb_store_bytes(skb, 0, piece + 1, 6, 0);
  long c = bpf_skb_load_bytes(skb, 5000, piece, 3), d = bpf_skb_store_bytes(skb, 5000, piece, 3, 0);
  long e = bpf_skb_store_bytes(skb, 0, piece, 3, 64), f = bpf_skb_load_bytes(skb, -1, piece, 3);
  return (int)(a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f) + piece[0] + piece[7];
}

SEC("tc")
int tc_relative(struct __sk_buff *skb) {
  __u8 a[4], b[4];
  long x = bpf_skb_load_bytes_relative(skb, 12, a, 4, BPF_HDR_START_MAC);
  long y = bpf_skb_load_bytes_relative(skb, 8, b, 4, BPF_HDR_START_NET);
  long z = bpf_skb_load_bytes_relative(skb, 8, b, 1, 7);
  return (int)(x + 100 * y + 10000 * z) + a[0] + a[3] + b[1] + b[2];
}

SEC("tc")
int tc_pull(struct __sk_buff *skb) {
  long whole = bpf_skb_pull_data(skb, 0), much = bpf_skb_pull_data(skb, 60000);
  __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
  return (int)(whole + 100 * much) + (data + 15 <= end ? data[14] : 0);
}

SEC("tc")
int tc_checksums(struct __sk_buff *skb) {
  __be32 from = bpf_htonl(0x0a000001), to = bpf_htonl(0xc0a80105);
  long results = bpf_l3_csum_replace(skb, 24, from, to, 4);
  results += 3 * bpf_l3_csum_replace(skb, 24, bpf_htons(64), bpf_htons(63), 2);
  results += 5 * bpf_l3_csum_replace(skb, 24, 1, 2, 0);
  results += 7 * bpf_l3_csum_replace(skb, 24, 0, 0x12345678, 0);
  results += 11 * bpf_l3_csum_replace(skb, 25, 0, 1, 2);
  results += 13 * bpf_l3_csum_replace(skb, 24, 0, 1, 3);
  results += 17 * bpf_l4_csum_replace(skb, 16, from, to, BPF_F_PSEUDO_HDR | 4);
  results += 19 * bpf_l4_csum_replace(skb, 18, 0x1234, 0x4321, 2);
  results += 23 * bpf_l4_csum_replace(skb, 20, 0, 0x87654321, BPF_F_MARK_MANGLED_0);
  results += 29 * bpf_l4_csum_replace(skb, 20, 0, 1, 0x1000);
  return (int)results;
}

#define DIFFS(name, section, type)                                                                 \
  SEC(section) int name(type *ctx) {                                                               \
    __be32 a[4] = {1, 0xffffffff, 0x12345678, 0x9abcdef0}, b[4] = {7, 0, 0xffff0000, 0x80000001};  \
    __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;                      \
    long sum = bpf_csum_diff(a, 16, b, 16, 0) + 3 * bpf_csum_diff(0, 0, b, 12, 0xffff) +           \
               5 * bpf_csum_diff(a, 8, 0, 0, 0x12345678) + 7 * bpf_csum_diff(a, 4, b, 16, 1) +     \
               11 * bpf_csum_diff(0, 0, 0, 0, 0);                                                  \
    if (data + 12 <= end)                                                                          \
      sum += 13 * bpf_csum_diff((void *)data, 12, 0, 0, 0);                                        \
    return (int)sum;                                                                               \
  }
DIFFS(tc_diffs, "tc", struct __sk_buff)
DIFFS(xdp_diffs, "xdp", struct xdp_md)

SEC("tc")
int tc_update(struct __sk_buff *skb) { return (int)bpf_csum_update(skb, 7); }

#define TC_TAIL(name, size)                                                                        \
  SEC("tc") int name(struct __sk_buff *skb) {                                                      \
    long result = bpf_skb_change_tail(skb, size, 0);                                               \
    __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;                      \
    return (int)result * 65536 + (int)skb->len + (int)(end - data > 0);                            \
  }
TC_TAIL(tc_tail_grow, 300)
TC_TAIL(tc_tail_trim, 20)
TC_TAIL(tc_tail_too_short, 13)
TC_TAIL(tc_tail_too_long, 16065)

// A pointer moved by a number of the packet, in a function of its own.
static __attribute__((noinline)) int walk(struct __sk_buff *skb, __u32 at) {
  __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
  __u8 *p = data + (at & 31);
  if (p + 8 > end)
    return -1;
  p[1] ^= 1;
  return p[0] + (p[7] << 8);
}

SEC("tc")
int tc_walk(struct __sk_buff *skb) {
  int sum = 0;
  for (__u32 i = 0; i < 8; i++)
    sum += walk(skb, i * 5);
  return sum;
}

SEC("classifier")
int tc_verdict(struct __sk_buff *skb) { return skb->len > 60 ? TC_ACT_SHOT : TC_ACT_UNSPEC; }

SEC("socket")
int socket_fields(struct __sk_buff *skb) {
  return (int)(skb->len + 3 * skb->protocol + 5 * skb->pkt_type + 7 * skb->ifindex + 11 * skb->ingress_ifindex +
               13 * skb->mark + 17 * skb->hash + 19 * skb->priority);
}

SEC("socket")
int socket_scratch(struct __sk_buff *skb) {
  for (int i = 0; i < 5; i++)
    skb->cb[i] = skb->len + i;
  return (int)(skb->cb[0] + 2 * skb->cb[4]);
}

SEC("socket")
int socket_bytes(struct __sk_buff *skb) {
  __u8 piece[4] = {0}, header[14];
  long a = bpf_skb_load_bytes(skb, 0, piece, 4), b = bpf_skb_load_bytes(skb, skb->len, piece + 3, 1);
  long c = bpf_skb_load_bytes_relative(skb, 0, header, 14, BPF_HDR_START_MAC);
  return (int)(a + 100 * b + 10000 * c) + piece[0] + header[13];
}

// Packet loads of the first instruction set: in the machine's order, and outside of the packet the
// program is over.
unsigned long long load_byte(void *skb, unsigned long long at) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long at) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long at) asm("llvm.bpf.load.word");

SEC("tc")
int tc_ld_abs(struct __sk_buff *skb) {
  return load_half(skb, 12) << 8 | load_byte(skb, 15);
}

SEC("tc")
int tc_ld_abs_word(struct __sk_buff *skb) {
  return load_word(skb, 26) ^ load_word(skb, 30);
}

SEC("tc")
int tc_ld_ind(struct __sk_buff *skb) {
  __u32 l4 = 14 + (load_byte(skb, 14) & 15) * 4;
  return load_half(skb, l4 + 2) << 8 | load_byte(skb, 23);
}

SEC("tc")
int tc_ld_ind_last(struct __sk_buff *skb) {
  return load_word(skb, skb->len - 4) ^ load_byte(skb, skb->len - 1);
}

SEC("tc")
int tc_ld_ind_past(struct __sk_buff *skb) {
  __u32 at = skb->len - 3;
  barrier();
  return 7 + load_word(skb, at);
}

SEC("tc")
int tc_ld_ind_before(struct __sk_buff *skb) {
  __u64 at = load_byte(skb, 0) | 0xffffffff00000000;
  return 7 + load_byte(skb, at - 300);
}

// SKF_NET_OFF and SKF_LL_OFF.
SEC("tc")
int tc_ld_headers(struct __sk_buff *skb) {
  return load_byte(skb, (__u32)(-0x100000 + 9)) << 16 | load_half(skb, (__u32)(-0x200000 + 12));
}

SEC("socket")
int socket_ld_abs(struct __sk_buff *skb) {
  return load_byte(skb, 0) << 8 | load_byte(skb, (__u32)(-0x100000 + 8));
}

SEC("socket")
int socket_ld_link(struct __sk_buff *skb) {
  return load_half(skb, (__u32)(-0x200000 + 12));
}

char LICENSE[] SEC("license") = "GPL";
