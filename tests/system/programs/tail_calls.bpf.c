// SPDX-License-Identifier: MIT
//
// Tail calls in all positions. Each program that tests run starts with `run_`; the others are there
// to be called. Counters are compared through return values, which the kernel computes as well.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define PROGRAMS(name, entries, ...)                                                                                  \
  struct {                                                                                                            \
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                                            \
    __uint(max_entries, entries);                                                                                     \
    __uint(key_size, 4);                                                                                              \
    __array(values, int(struct xdp_md *));                                                                            \
  } name SEC(".maps") = {.values = {__VA_ARGS__}}

int first(struct xdp_md *ctx);
int second(struct xdp_md *ctx);
int third(struct xdp_md *ctx);
int itself(struct xdp_md *ctx);
int ping(struct xdp_md *ctx);
int pong(struct xdp_md *ctx);
int nested(struct xdp_md *ctx);
int both(struct xdp_md *ctx);
int deep(struct xdp_md *ctx);
int shorten(struct xdp_md *ctx);
int in_function(struct xdp_md *ctx);

enum { kFirst, kSecond, kThird, kItself, kPing, kPong, kNested, kBoth, kEmpty, kDeep, kShorten, kInFunction, kSlots };
PROGRAMS(table, kSlots, [kFirst] = (void *)&first, [kSecond] = (void *)&second, [kThird] = (void *)&third,
         [kItself] = (void *)&itself, [kPing] = (void *)&ping, [kPong] = (void *)&pong, [kNested] = (void *)&nested,
         [kBoth] = (void *)&both, [kDeep] = (void *)&deep, [kShorten] = (void *)&shorten,
         [kInFunction] = (void *)&in_function);
PROGRAMS(other, 2, [1] = (void *)&third);

__u32 count, left, right;
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} per_cpu SEC(".maps");

// So that what one run leaves behind is not seen by the next.
static __always_inline void begin(void) {
  __u32 zero = 0;
  __u64 *value = bpf_map_lookup_elem(&per_cpu, &zero);
  if (value)
    *value = 0;
  count = left = right = 0;
}

static __always_inline int bytes_of(struct xdp_md *ctx) { return (int)(ctx->data_end - ctx->data); }

SEC("xdp") int first(struct xdp_md *ctx) { return 100 + bytes_of(ctx); }

SEC("xdp")
int second(struct xdp_md *ctx) {
  __u32 zero = 0;
  __u64 *value = bpf_map_lookup_elem(&per_cpu, &zero);
  if (value)
    *value = 5;
  bpf_tail_call(ctx, &table, kThird);
  return 200;
}

SEC("xdp")
int third(struct xdp_md *ctx) {
  __u32 zero = 0;
  __u64 *value = bpf_map_lookup_elem(&per_cpu, &zero);
  return 300 + (value ? (int)*value : 90);
}

SEC("xdp")
int itself(struct xdp_md *ctx) {
  count++;
  bpf_tail_call(ctx, &table, kItself);
  return (int)count;
}

SEC("xdp")
int ping(struct xdp_md *ctx) {
  left++;
  bpf_tail_call(ctx, &table, kPong);
  return (int)(1000 * left + right);
}

SEC("xdp")
int pong(struct xdp_md *ctx) {
  right++;
  bpf_tail_call(ctx, &table, kPing);
  return (int)(1000 * left + right + 500000);
}

SEC("xdp")
int run_first(struct xdp_md *ctx) {
  begin();
  bpf_tail_call(ctx, &table, kFirst);
  return 1;
}

SEC("xdp")
int run_chain(struct xdp_md *ctx) {
  begin();
  bpf_tail_call(ctx, &table, kSecond);
  return 1;
}

SEC("xdp")
int run_empty(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &table, kEmpty);
  bpf_tail_call(ctx, &other, 0);
  return 2;
}

SEC("xdp")
int run_out_of_range(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &table, kSlots);
  bpf_tail_call(ctx, &table, 0x7fffffff);
  bpf_tail_call(ctx, &table, (__u32)-1);
  return 3;
}

// The index has 32 bits.
SEC("xdp")
int run_wide_index(struct xdp_md *ctx) {
  register __u64 index asm("r3") = 0x100000000ull * 7 + kFirst;
  register void *map asm("r2") = &table;
  register void *context asm("r1") = ctx;
  asm volatile("call 12" : "+r"(context), "+r"(map), "+r"(index) : : "r0", "r4", "r5", "memory");
  return 4;
}

SEC("xdp")
int run_by_length(struct xdp_md *ctx) {
  begin();
  bpf_tail_call(ctx, &table, (__u32)bytes_of(ctx) % (kSlots + 2));
  return 5;
}

SEC("xdp")
int run_other_map(struct xdp_md *ctx) {
  void *map = bytes_of(ctx) & 1 ? (void *)&table : (void *)&other;
  begin();
  bpf_tail_call(ctx, map, 1);
  return 6;
}

SEC("xdp")
int run_limit(struct xdp_md *ctx) {
  begin();
  bpf_tail_call(ctx, &table, kItself);
  return 7;
}

SEC("xdp")
int run_two(struct xdp_md *ctx) {
  begin();
  bpf_tail_call(ctx, &table, kPing);
  return 8;
}

// Empty slots cost nothing of the limit.
SEC("xdp")
int run_many_misses(struct xdp_md *ctx) {
  begin();
  for (int i = 0; i < 50; i++)
    bpf_tail_call(ctx, &table, kEmpty);
  bpf_tail_call(ctx, &table, kItself);
  return 9;
}

// In a function: its result is that of the program that ran for it.
static __noinline int choose(struct xdp_md *ctx, __u32 index) {
  volatile __u32 keep = index;
  bpf_tail_call(ctx, &table, index);
  return (int)keep + 10;
}

SEC("xdp")
int run_function(struct xdp_md *ctx) {
  begin();
  int a = choose(ctx, kFirst), b = choose(ctx, kEmpty), c = choose(ctx, kSecond);
  return a * 1000000 + b * 1000 + c;
}

SEC("xdp")
int run_function_limit(struct xdp_md *ctx) {
  begin();
  int a = choose(ctx, kItself);
  int b = choose(ctx, kItself); // the limit is the run's
  return a * 1000 + b;
}

__attribute__((noinline, weak)) int choose_global(struct xdp_md *ctx, __u32 index) {
  bpf_tail_call(ctx, &table, index);
  return (int)index + 20;
}

SEC("xdp")
int run_global(struct xdp_md *ctx) {
  begin();
  int a = choose_global(ctx, kFirst), b = choose_global(ctx, kEmpty), c = choose_global(ctx, kItself);
  return a * 1000000 + b * 1000 + c;
}

// A function of a program that was called from a function, and so on.
SEC("xdp")
int nested(struct xdp_md *ctx) {
  count++;
  return choose(ctx, kNested) + 1;
}

SEC("xdp")
int run_nested(struct xdp_md *ctx) {
  begin();
  int result = choose(ctx, kNested);
  return (int)count * 1000 + result;
}

// Twice as many at each level: the limit holds for all of them together.
SEC("xdp")
int both(struct xdp_md *ctx) {
  left++;
  choose(ctx, kBoth);
  right++;
  choose(ctx, kBoth);
  return (int)(left * 1000 + right);
}

SEC("xdp")
int run_both(struct xdp_md *ctx) {
  begin();
  choose(ctx, kBoth);
  choose(ctx, kBoth);
  return (int)(left * 1000 + right);
}

static __noinline int bottom(struct xdp_md *ctx, __u32 x) {
  bpf_tail_call(ctx, &table, kDeep);
  return (int)x + 1;
}

static __noinline int middle(struct xdp_md *ctx, __u32 x) {
  volatile char room[64];
  __u64 at = x & 63;
  asm volatile("%0 &= 63" : "+r"(at));
  room[at] = (char)x;
  return bottom(ctx, x) + room[at] + 1;
}

SEC("xdp")
int deep(struct xdp_md *ctx) {
  volatile char room[100];
  __u64 at = count++;
  asm volatile("%0 &= 63" : "+r"(at));
  room[at] = (char)at;
  return middle(ctx, (__u32)at) + room[at];
}

SEC("xdp")
int run_deep(struct xdp_md *ctx) {
  begin();
  return middle(ctx, 3);
}

SEC("xdp")
int in_function(struct xdp_md *ctx) {
  volatile __u64 words[8];
  for (int i = 0; i < 8; i++)
    words[i] = (__u64)i;
  return choose(ctx, kThird) + (int)words[count & 7];
}

SEC("xdp")
int run_in_function(struct xdp_md *ctx) {
  begin();
  return choose(ctx, kInFunction) + choose(ctx, kSecond);
}

// What another program does to the packet is seen afterwards.
SEC("xdp") int shorten(struct xdp_md *ctx) { return bpf_xdp_adjust_head(ctx, 4) ? -1 : 11; }

SEC("xdp")
int run_shorten(struct xdp_md *ctx) {
  int before = bytes_of(ctx), result = choose(ctx, kShorten);
  return before * 1000000 + bytes_of(ctx) * 1000 + result;
}

// Nothing has happened when the call comes back: the packet is where it was.
SEC("xdp")
int run_keeps_packet(struct xdp_md *ctx) {
  unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  if (data + 4 > end)
    return 12;
  bpf_tail_call(ctx, &table, kEmpty);
  return data[3];
}

struct loop {
  struct xdp_md *ctx;
  int sum;
};

static int each(__u32 index, struct loop *loop) {
  loop->sum += (int)index;
  return 0;
}

SEC("xdp")
int run_loop(struct xdp_md *ctx) {
  struct loop loop = {ctx, 0};
  bpf_loop(5, each, &loop, 0);
  count = (__u32)loop.sum;
  bpf_tail_call(ctx, &table, kItself);
  return 13;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
