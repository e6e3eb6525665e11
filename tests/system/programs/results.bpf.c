// SPDX-License-Identifier: MIT
// Programs whose result depends on their input and on nothing else: arithmetic, memory, maps, loops,
// subprograms, atomics. The kernel and native code must return the same 32 bits.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct args {
  __u64 a, b, c, d;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} array SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8);
  __type(key, __u64);
  __type(value, __u64);
} hash SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u32[5]);
} percpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 20);
  __type(key, __u32[3]);
  __type(value, __u32[5]);
} percpu_hash SEC(".maps");

// Room for twice as many keys as are used: then nothing is evicted, by anybody's rule.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 64);
  __type(key, __u32[3]);
  __type(value, __u32[5]);
} lru_hash SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
  __uint(max_entries, 64);
  __type(key, __u32[3]);
  __type(value, __u32[5]);
} lru_percpu_hash SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 13);
  __type(value, __u32[5]);
} queue SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK);
  __uint(max_entries, 13);
  __type(value, __u32[5]);
} stack SEC(".maps");

__u64 counter;
__u32 table[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
const volatile __u32 seed = 0x9e3779b9;

static __always_inline __u32 fold(__u64 v) { return (__u32)(v ^ (v >> 32)) * seed; }

SEC("syscall")
int alu64(struct args *x) {
  __u64 v = x->a + x->b * 3 - x->c;
  v ^= x->d << 7 | x->a >> 9;
  v += (__s64)x->b >> 5;
  v = v * x->c + ~x->d;
  return fold(v - (-x->a & x->b));
}

SEC("syscall")
int alu32(struct args *x) {
  __u32 v = (__u32)x->a + (__u32)x->b * 5 - (__u32)x->c;
  v ^= (__u32)x->d << 3 | (__u32)x->a >> 11;
  v += (__s32)x->b >> 4;
  return fold(v * (__u32)x->c + ~(__u32)x->d);
}

SEC("syscall")
int division(struct args *x) {
  __u64 v = x->a / x->b + x->a % x->b + x->c / (x->d & 0xff);
  __u32 w = (__u32)x->a / (__u32)x->b + (__u32)x->c % (__u32)x->d;
  return fold(v * 31 + w);
}

// A zero divisor gives 0 and a zero modulus leaves the dividend, in 64 and in 32 bits.
SEC("syscall")
int division_by_zero(struct args *x) {
  __u64 zero = x->a - x->a + (x->b & 0), q = x->a, r = x->a;
  __u32 zero32 = (__u32)zero, q32 = (__u32)x->c, r32 = (__u32)x->c;
  asm volatile("%0 /= %1" : "+r"(q) : "r"(zero));
  asm volatile("%0 %%= %1" : "+r"(r) : "r"(zero));
  asm volatile("%0 /= %1" : "+w"(q32) : "w"(zero32));
  asm volatile("%0 %%= %1" : "+w"(r32) : "w"(zero32));
  return fold(q * 3 + r * 5 + q32 * 7 + r32);
}

// Shift counts are taken modulo the width.
SEC("syscall")
int shifts(struct args *x) {
  __u64 v = x->a, w = x->b;
  __u32 n = (__u32)x->c, m = (__u32)x->d;
  asm volatile("%0 <<= %1" : "+r"(v) : "r"(x->c & 63));
  asm volatile("%0 >>= %1" : "+r"(w) : "r"(x->d & 63));
  asm volatile("%0 s>>= %1" : "+r"(v) : "r"(x->b & 63));
  asm volatile("%0 <<= %1" : "+w"(n) : "w"(m & 31));
  asm volatile("%0 s>>= %1" : "+w"(n) : "w"((__u32)x->a & 31));
  return fold(v * 3 + w) + n;
}

SEC("syscall")
int byte_order(struct args *x) {
  __u64 v = __builtin_bswap64(x->a);
  __u32 w = __builtin_bswap32((__u32)x->b);
  __u16 h = __builtin_bswap16((__u16)x->c);
  return fold(v + w * 7ull + h);
}

SEC("syscall")
int compares(struct args *x) {
  __u32 r = 0;
  if (x->a > x->b) r |= 1;
  if ((__s64)x->a > (__s64)x->b) r |= 2;
  if ((__u32)x->a < (__u32)x->b) r |= 4;
  if ((__s32)x->a <= (__s32)x->b) r |= 8;
  if (x->c & x->d) r |= 16;
  if ((__s64)x->c < -5) r |= 32;
  if ((__u32)x->d >= 0x80000000u) r |= 64;
  if (x->a == x->c) r |= 128;
  if ((__u32)x->a != (__u32)x->d) r |= 256;
  return r;
}

SEC("syscall")
int narrow_memory(struct args *x) {
  union {
    __u64 d[4];
    __u32 w[8];
    __u16 h[16];
    __u8 b[32];
  } m;
  m.d[0] = x->a;
  m.d[1] = x->b;
  m.d[2] = x->c;
  m.d[3] = x->d;
  m.b[3] = (__u8)x->b;
  m.h[5] = (__u16)x->c;
  m.w[5] += m.b[17];
  m.h[15] = (__u16)(m.b[1] << 8 | m.b[30]);
  __u64 sum = 0;
  for (int i = 0; i < 32; i++)
    sum = sum * 33 + m.b[i];
  for (int i = 0; i < 16; i++)
    sum = sum * 7 + (__s16)m.h[i];
  return fold(sum);
}

SEC("syscall")
int writes_context(struct args *x) {
  x->a = x->b + 1;
  *(__u32 *)&x->b = 77;
  *((__u8 *)&x->c + 5) = 9;
  return fold(x->a * 3 + x->b * 5 + x->c * 7 + x->d);
}

SEC("syscall")
int loop_bounded(struct args *x) {
  __u64 v = x->a;
  __u32 n = x->b & 127;
  for (__u32 i = 0; i < n; i++)
    v = v * 6364136223846793005ull + 1442695040888963407ull + i;
  return fold(v);
}

SEC("syscall")
int loop_nested(struct args *x) {
  __u64 sum = 0;
  for (__u32 i = 0; i < (x->a & 15); i++)
    for (__u32 j = 0; j <= i; j++)
      sum += table[(i * j) & 15] ^ (x->c >> (j & 31));
  return fold(sum);
}

static __noinline __u64 collatz(__u64 v, __u32 *steps) {
  for (int i = 0; i < 7 && v != 1; i++) {
    v = v & 1 ? v * 3 + 1 : v / 2;
    ++*steps;
  }
  return v;
}

static __noinline __u32 mix(__u32 a, __u32 b, __u32 c, __u32 d, __u32 e) { return ((a * 31 + b) * 31 + c) * 31 + (d ^ e); }

SEC("syscall")
int subprograms(struct args *x) {
  __u32 steps = 0, more = 0;
  __u64 v = collatz((x->a & 0xffff) + 1, &steps);
  __u64 w = collatz((x->b & 0xffff) + 1, &more);
  return mix(steps, more, (__u32)v, (__u32)w, (__u32)x->c);
}

SEC("syscall")
int array_map(struct args *x) {
  __u32 sum = 0;
  for (__u32 i = 0; i < 20; i++) {
    __u64 *v = bpf_map_lookup_elem(&array, &i);
    if (!v) {
      sum += 1000;
      continue;
    }
    *v = *v * 3 + x->a + i;
  }
  for (__u32 i = 0; i < 16; i++) {
    __u64 *v = bpf_map_lookup_elem(&array, &i);
    if (v)
      sum = sum * 31 + fold(*v);
  }
  __u32 beyond = 16, first = 0;
  __u64 value = x->b;
  sum = sum * 31 + (__u32)bpf_map_update_elem(&array, &beyond, &value, BPF_ANY);
  sum = sum * 31 + (__u32)bpf_map_update_elem(&array, &first, &value, BPF_NOEXIST);
  sum = sum * 31 + (__u32)bpf_map_update_elem(&array, &first, &value, BPF_EXIST);
  sum = sum * 31 + (__u32)bpf_map_delete_elem(&array, &first);
  return sum;
}

SEC("syscall")
int hash_map(struct args *x) {
  __u32 sum = 0;
  for (__u64 i = 0; i < 12; i++) {
    __u64 key = x->a * 2654435761 + i % 10, value = i * x->b;
    sum = sum * 31 + (__u32)bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
  }
  for (__u64 i = 0; i < 10; i++) {
    __u64 key = x->a * 2654435761 + i, value = 5, *v = bpf_map_lookup_elem(&hash, &key);
    sum = sum * 31 + (v ? fold(*v) : 17);
    sum = sum * 31 + (__u32)bpf_map_update_elem(&hash, &key, &value, BPF_NOEXIST);
    if (i & 1)
      sum = sum * 31 + (__u32)bpf_map_delete_elem(&hash, &key);
    sum = sum * 31 + (__u32)bpf_map_update_elem(&hash, &key, &value, BPF_EXIST);
  }
  for (__u64 i = 0; i < 10; i++) {
    __u64 key = x->a * 2654435761 + i;
    sum = sum * 31 + (__u32)bpf_map_delete_elem(&hash, &key);
    sum = sum * 31 + (__u32)bpf_map_delete_elem(&hash, &key);
  }
  __u64 key = 1, value = 2;
  sum = sum * 31 + (__u32)bpf_map_update_elem(&hash, &key, &value, 4711);
  return sum;
}

SEC("syscall")
int percpu_map(struct args *x) {
  __u32 sum = 0;
  for (__u32 i = 0; i < 6; i++) {
    __u32 key = i, *v = bpf_map_lookup_elem(&percpu, &key);
    if (!v) {
      sum += 500;
      continue;
    }
    for (int k = 0; k < 5; k++)
      v[k] = v[k] * 3 + (__u32)x->a + k + i;
    for (int k = 0; k < 5; k++)
      sum = sum * 31 + v[k];
  }
  return sum;
}

SEC("syscall")
int atomics64(struct args *x) {
  __u32 zero = 0;
  __u64 *v = bpf_map_lookup_elem(&array, &zero), sum = 0;
  if (!v)
    return 0;
  *v = x->a;
  sum = sum * 31 + __sync_fetch_and_add(v, x->b);
  sum = sum * 31 + __sync_fetch_and_or(v, x->c);
  sum = sum * 31 + __sync_fetch_and_and(v, x->d | 0xff00ff);
  sum = sum * 31 + __sync_fetch_and_xor(v, x->b);
  sum = sum * 31 + __sync_lock_test_and_set(v, x->c);
  sum = sum * 31 + __sync_val_compare_and_swap(v, x->c, x->d);
  sum = sum * 31 + __sync_val_compare_and_swap(v, 12345, x->a);
  return fold(sum * 31 + *v);
}

SEC("syscall")
int atomics32(struct args *x) {
  __u32 zero = 0, sum = 0;
  __u64 *at = bpf_map_lookup_elem(&array, &zero);
  __u32 *v = (__u32 *)at;
  if (!v)
    return 0;
  *at = x->a;
  sum = sum * 31 + __sync_fetch_and_add(v, (__u32)x->b);
  sum = sum * 31 + __sync_fetch_and_or(v, (__u32)x->c);
  sum = sum * 31 + __sync_fetch_and_and(v, (__u32)x->d | 0xff00ff);
  sum = sum * 31 + __sync_fetch_and_xor(v, (__u32)x->b);
  sum = sum * 31 + __sync_lock_test_and_set(v, (__u32)x->c);
  sum = sum * 31 + __sync_val_compare_and_swap(v, (__u32)x->c, (__u32)x->d);
  return sum + fold(*at);
}

SEC("syscall")
int globals(struct args *x) {
  counter = counter * 3 + x->a;
  table[x->b & 15] += (__u32)x->c;
  __u64 sum = counter;
  for (int i = 0; i < 16; i++)
    sum = sum * 31 + table[i];
  return fold(sum);
}

SEC("syscall")
int switches(struct args *x) {
  __u32 r = 1;
  for (int i = 0; i < 8; i++) {
    switch ((x->a >> (i * 4)) & 7) {
    case 0: r += 3; break;
    case 1: r *= 5; break;
    case 2: r ^= (__u32)x->b; break;
    case 3: r -= (__u32)x->c; break;
    case 5: r = r << 3 | r >> 29; break;
    case 6: r = ~r; break;
    default: r += i;
    }
  }
  return r;
}

SEC("syscall")
int ring_results(struct args *x) {
  __u32 sum = 0;
  for (int i = 0; i < 6; i++) {
    __u64 *r = bpf_ringbuf_reserve(&ring, 1000, 0);
    if (!r) {
      sum = sum * 31 + 1;
      continue;
    }
    r[0] = x->a;
    if (i & 1)
      bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
    else
      bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
    sum = sum * 31 + 2;
  }
  __u64 words[4] = {x->a, x->b, x->c, x->d};
  sum = sum * 31 + (__u32)bpf_ringbuf_output(&ring, words, sizeof words, 0);
  return sum * 31 + (__u32)bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
}

SEC("syscall")
int sign_extension(struct args *x) {
  __s64 v = (__s8)x->a * 3ll + (__s16)x->b * 5ll + (__s32)x->c * 7ll;
  __s32 w = (__s8)x->d + (__s16)x->a;
  return fold((__u64)v * 31 + (__u64)(__s64)w);
}

// Random operations on a map, driven by the input: results and values are folded into the sum.
static __always_inline __u64 next_random(__u64 *state) {
  __u64 v = *state * 6364136223846793005ull + 1442695040888963407ull;
  *state = v;
  return v >> 33;
}

static __always_inline int keyed_operations(void *map, struct args *x, __u32 keys, int percpu) {
  __u64 random = x->a ^ x->b * 3 ^ x->c * 5 ^ x->d * 7;
  __u32 sum = 0;
  for (int i = 0; i < 300; i++) {
    __u64 r = next_random(&random);
    __u32 key[3] = {(__u32)(r % keys), 7, 9}, value[5] = {(__u32)r, 1, 2, 3, (__u32)x->a}, *found;
    switch ((r >> 8) % 6) {
    case 0:
    case 1: sum = sum * 31 + (__u32)bpf_map_update_elem(map, key, value, (r >> 16) % 4); break;
    case 2: sum = sum * 31 + (__u32)bpf_map_delete_elem(map, key); break;
    case 3:
      if (percpu) {
        sum = sum * 31 + !bpf_map_lookup_percpu_elem(map, key, 1 << 20);
        break;
      }
    default:
      found = bpf_map_lookup_elem(map, key);
      sum = sum * 31 + 1;
      if (found) {
        sum = sum * 31 + found[0] + found[4];
        found[0] += 3;
      }
    }
  }
  return sum;
}

SEC("syscall")
int percpu_hash_operations(struct args *x) { return keyed_operations(&percpu_hash, x, 30, 1); }

SEC("syscall")
int lru_hash_operations(struct args *x) { return keyed_operations(&lru_hash, x, 32, 0); }

SEC("syscall")
int lru_percpu_hash_operations(struct args *x) { return keyed_operations(&lru_percpu_hash, x, 32, 1); }

static __always_inline int ordered_operations(void *map, struct args *x) {
  __u64 random = x->a ^ x->b * 3 ^ x->c * 5 ^ x->d * 7;
  __u32 sum = 0, value[5];
  for (int i = 0; i < 300; i++) {
    __u64 r = next_random(&random);
    switch ((r >> 8) % 5) {
    case 0:
    case 1:
    case 2:
      value[0] = (__u32)r, value[1] = 1, value[2] = 2, value[3] = (__u32)x->b, value[4] = i;
      sum = sum * 31 + (__u32)bpf_map_push_elem(map, value, (r >> 16) % 4);
      break;
    case 3: sum = sum * 31 + (__u32)bpf_map_peek_elem(map, value) + value[0] + value[4]; break;
    default: sum = sum * 31 + (__u32)bpf_map_pop_elem(map, value) + value[0] + value[4];
    }
  }
  return sum;
}

SEC("syscall")
int queue_operations(struct args *x) { return ordered_operations(&queue, x); }

SEC("syscall")
int stack_operations(struct args *x) { return ordered_operations(&stack, x); }

// Switches, at the borders of their cases: dense, sparse, of negative and of 64-bit numbers.
static __always_inline __u32 signed_case(__s32 x, __u32 y) {
  switch (x) {
  case -2147483648: return y * 3;
  case -3: return y + 77;
  case -2: return y ^ 0x5555;
  case -1: return y >> 3;
  case 0: return y << 5;
  case 1: return ~y;
  case 2: return y * y;
  case 7: return y | 0x700;
  case 2147483647: return y - 9;
  }
  return y & 0xff00ff;
}

static __always_inline __u32 wide_case(__u64 x, __u32 y) {
  switch (x) {
  case 0 ... 3: return y + 1;
  case 5: return y * 7;
  case 6: return y ^ 0x1234567;
  case 0x7ffffffffffffffe ... 0x8000000000000001: return y >> 7;
  case 0x8000000000000003: return y << 2;
  case 0xfffffffffffffffd ... 0xfffffffffffffffe: return ~y;
  case 0xffffffffffffffff: return y * 13;
  }
  return y + 0x1000;
}

static __always_inline __u32 ordered_case(__s64 x, __u32 y) {
  if (x < -100)
    return y * 3;
  if (x == -100)
    return y + 2;
  if (x > 100)
    return y ^ 0x77;
  if (x >= 99)
    return y >> 2;
  if (x <= -98)
    return ~y;
  if (x != 0)
    return y + 0x101;
  return y * 31;
}

SEC("syscall")
int signed_switch(struct args *x) {
  __u64 random = x->a ^ x->b * 3 ^ x->c * 5 ^ x->d * 7;
  __u32 sum = (__u32)x->a;
  for (int i = 0; i < 40; i++) {
    const __u64 r = next_random(&random);
    sum = signed_case((__s32)(r >> 8 & 15) - 5 + (__s32)((r & 1) << 31), sum);
  }
  return sum;
}

SEC("syscall")
int wide_switch(struct args *x) {
  __u64 random = x->a ^ x->b * 3 ^ x->c * 5 ^ x->d * 7;
  __u32 sum = (__u32)x->a;
  for (int i = 0; i < 40; i++) {
    const __u64 r = next_random(&random);
    sum = wide_case((r >> 16 & 15) - 5 + ((r & 1) << 63), sum);
  }
  return sum;
}

SEC("syscall")
int ordered_switch(struct args *x) {
  __u64 random = x->a ^ x->b * 3 ^ x->c * 5 ^ x->d * 7;
  __u32 sum = (__u32)x->a;
  for (int i = 0; i < 40; i++) {
    const __u64 r = next_random(&random);
    sum = ordered_case((__s64)(r >> 24 & 7) - 3 + ((__s64)(r >> 32 & 3) - 1) * 100, sum);
  }
  return sum;
}

// Reads of sizes that are known, of the own stack and of a map's value, into either.
SEC("syscall")
int known_reads(struct args *x) {
  struct args copy = *x;
  __u64 out[8] = {0};
  __u32 key = 3, sum = 0;
  __u64 *value = bpf_map_lookup_elem(&array, &key);
  if (!value)
    return 1;
  *value = x->c;
  sum += bpf_probe_read_kernel(out, 3, &copy.a);
  sum += bpf_probe_read_kernel((char *)out + 9, 7, (char *)&copy.b + 1);
  sum += bpf_probe_read_kernel(&out[2], 31, (char *)&copy + 1);
  sum += bpf_probe_read_kernel((char *)&out[6] + 1, 5, (char *)value + 2);
  sum += bpf_probe_read_kernel(value, 8, &copy.d);
  out[7] = *value;
  for (int i = 0; i < 8; i++)
    sum = sum * 31 + (__u32)(out[i] ^ out[i] >> 32);
  return sum;
}

// What no process has, and nothing at all.
SEC("syscall")
int copies_from_nowhere(struct args *x) {
  __u64 out[2] = {x->a, x->b}, sum = 0;
  sum += bpf_copy_from_user(&out[0], 8, (void *)(x->c & 0xfff));
  sum = sum * 31 + bpf_copy_from_user(&out[1], 4, (void *)(x->d | 1ull << 63));
  sum = sum * 31 + bpf_copy_from_user(&out[1], x->a & 0, (void *)x->c);
  return sum * 31 + out[0] + (__u32)(out[1] >> 32);
}

char LICENSE[] SEC("license") = "GPL";
