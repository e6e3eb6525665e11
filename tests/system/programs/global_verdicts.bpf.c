// SPDX-License-Identifier: MIT
// One rule about global functions in each program. The name says the verdict: NAME_good and NAME_bad
// are the kernel's and ours; NAME_stricter is refused here only.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

#define ARG_CTX __attribute__((btf_decl_tag("arg:ctx")))
#define ARG_NONNULL __attribute__((btf_decl_tag("arg:nonnull")))
#define ARG_NULLABLE __attribute__((btf_decl_tag("arg:nullable")))
#define GLOBAL __attribute__((noinline, weak)) // weak: the compiler must not look into it
#define STATIC static __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden"), noinline))
#define PROGRAM(kind, name) SEC("?" kind) int name(void *ctx)

struct pair {
  int a;
  __u64 b;
};
struct far_away;
typedef struct pt_regs bpf_user_pt_regs_t;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct pair);
} array SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

const volatile struct pair constant = {1, 2};
struct pair variable;
int numbers[4];

static struct pair *look_up(void) {
  __u32 key = bpf_get_prandom_u32();
  return bpf_map_lookup_elem(&array, &key);
}

// Memory.
GLOBAL int checks(struct pair *p) { return p ? p->a : 0; }
GLOBAL int does_not_check(struct pair *p) { return p->a; }
GLOBAL int needs(struct pair *p ARG_NONNULL) { return p->a; }
GLOBAL int writes(struct pair *p ARG_NONNULL) { return p->a = p->b; }
GLOBAL int outside(struct pair *p ARG_NONNULL) { return ((volatile __u64 *)p)[2]; }
GLOBAL int of_void(void *p) { return p != 0; }
GLOBAL int of_forward(struct far_away *p) { return p != 0; }
GLOBAL int of_pointer(struct pair **p) { return p ? *p != 0 : 0; }
GLOBAL int of_array(int (*p)[4]) { return p ? (*p)[3] : 0; }
GLOBAL int follows(struct pair **p ARG_NONNULL) { return (*p)->a; }
GLOBAL int passes_on(struct pair *p) { return checks(p) + (p ? needs(p) : 0); }
GLOBAL int passes_unchecked(struct pair *p) { return needs(p); }
GLOBAL int passes_more(int *p ARG_NONNULL) { return needs((void *)p); }
GLOBAL int passes_half(struct pair *p ARG_NONNULL) { return needs((void *)&p->b); }

PROGRAM("raw_tp", stack_good) { struct pair p = {1, 2}; return checks(&p); }
PROGRAM("raw_tp", null_good) { return checks(0); }
PROGRAM("raw_tp", unchecked_bad) { struct pair p = {1, 2}; return does_not_check(&p); }
PROGRAM("raw_tp", value_good) { return checks(look_up()); }
PROGRAM("raw_tp", variable_good) { return checks(&variable) + writes(&variable); }
PROGRAM("raw_tp", constant_bad) {
  struct pair *p = (void *)&constant;
  asm volatile("" : "+r"(p)); // the compiler must not know
  return checks(p);
}
PROGRAM("raw_tp", nonnull_good) { struct pair p = {1, 2}; return needs(&p) + writes(&p); }
PROGRAM("raw_tp", nonnull_may_be_null_bad) { return needs(look_up()); }
PROGRAM("raw_tp", nonnull_null_stricter) {
  struct pair *p = 0;
  asm volatile("" : "+r"(p));
  return needs(p);
}
PROGRAM("raw_tp", callee_outside_bad) { struct pair p[2] = {}; return outside(p); }
PROGRAM("raw_tp", too_small_bad) { __u64 x = 1; return needs((void *)&x); }
PROGRAM("raw_tp", half_bad) { struct pair p = {1, 2}; return passes_half(&p); }
PROGRAM("raw_tp", number_as_memory_bad) { return checks((void *)(long)bpf_get_prandom_u32()); }
PROGRAM("raw_tp", context_as_memory_bad) { return checks(ctx); }
PROGRAM("raw_tp", void_pointer_bad) { int x = 1; return of_void(&x); }
PROGRAM("raw_tp", forward_pointer_bad) { int x = 1; return of_forward((void *)&x); }
PROGRAM("raw_tp", pointer_to_pointer_good) { struct pair *p = &variable; return of_pointer(&p); }
PROGRAM("raw_tp", pointer_from_memory_bad) { struct pair *p = &variable; return follows(&p); }
PROGRAM("raw_tp", array_good) { int x[4] = {1, 2, 3, 4}; return of_array(&x); }
PROGRAM("raw_tp", passed_on_good) { struct pair p = {1, 2}; return passes_on(&p); }
PROGRAM("raw_tp", passed_unchecked_bad) { struct pair p = {1, 2}; return passes_unchecked(&p); }
PROGRAM("raw_tp", passed_more_bad) { struct pair p = {1, 2}; return passes_more(&p.a); }
PROGRAM("raw_tp", spill_lost_bad) {
  struct pair *volatile p = &variable;
  of_pointer((struct pair **)&p);
  return p->a;
}
PROGRAM("raw_tp", record_good) {
  struct pair *p = bpf_ringbuf_reserve(&ring, sizeof *p, 0);
  int result = checks(p);
  if (p)
    bpf_ringbuf_submit(p, 0);
  return result;
}
GLOBAL int submits(struct pair *p) {
  if (p)
    bpf_ringbuf_submit(p, 0);
  return 0;
}
PROGRAM("raw_tp", record_of_the_caller_bad) { return submits(bpf_ringbuf_reserve(&ring, 16, 0)); }
GLOBAL int leaks(int x) { return bpf_ringbuf_reserve(&ring, 16, 0) != 0; }
PROGRAM("raw_tp", leak_bad) { return leaks(1); }
PROGRAM("raw_tp", leak_of_the_caller_bad) {
  struct pair *p = bpf_ringbuf_reserve(&ring, sizeof *p, 0);
  return checks(p);
}
PROGRAM("raw_tp", released_bad) {
  struct pair *p = bpf_ringbuf_reserve(&ring, sizeof *p, 0);
  if (!p)
    return 0;
  bpf_ringbuf_submit(p, 0);
  return checks(p);
}
GLOBAL int atomic(__u64 *p ARG_NONNULL) { return __sync_fetch_and_add(p, 1); }
GLOBAL int atomic_behind(struct pair *p ARG_NONNULL) { return atomic(&p->b); }
PROGRAM("raw_tp", atomic_good) { struct pair p = {1, 2}; return atomic_behind(&p) + atomic(&p.b); }
PROGRAM("raw_tp", atomic_misaligned_stricter) { __u64 x[2] = {}; return atomic((void *)x + 4); }
PROGRAM("raw_tp", atomic_misaligned_behind_stricter) { __u64 x[3] = {}; return atomic_behind((void *)x + 4); }
PROGRAM("raw_tp", misaligned_good) { __u64 x[3] = {}; return checks((void *)x + 3); }

// Numbers and results.
GLOBAL int index_unchecked(int i) { return ((volatile int *)numbers)[i]; }
GLOBAL int index_checked(unsigned i) { return ((volatile int *)numbers)[i & 3]; }
GLOBAL long address(int x) { return (long)&variable + x; }
GLOBAL void no_result(int x) { variable.a = x; }
GLOBAL struct pair *pointer_result(int x) { return x ? &variable : 0; }
enum way { UP, DOWN };
GLOBAL int scalar(__u64 x, _Bool y, enum way z, __s8 w) { return x + y + z + w; }
GLOBAL int one(int x) { return x != 0; }
PROGRAM("raw_tp", index_unchecked_bad) { return index_unchecked(1); }
PROGRAM("raw_tp", index_checked_good) { return index_checked(17); }
PROGRAM("raw_tp", address_result_bad) { return address(1); }
PROGRAM("raw_tp", no_result_bad) { no_result(1); return 0; }
PROGRAM("raw_tp", pointer_result_bad) { return pointer_result(1) != 0; }
PROGRAM("raw_tp", scalars_good) { return scalar((long)bpf_get_prandom_u32(), 1, DOWN, -1); }
PROGRAM("raw_tp", pointer_as_number_bad) { return scalar((long)&variable, 1, DOWN, -1); }
PROGRAM("raw_tp", result_is_any_number_bad) { return ((volatile int *)numbers)[one(1)]; }

// Contexts.
GLOBAL int any_context(void *ctx ARG_CTX) { return ctx != 0; }
GLOBAL int registers(struct pt_regs *ctx) { return ((__u64 *)ctx)[1] != 0; }
GLOBAL int user_registers(bpf_user_pt_regs_t *ctx) { return ((__u64 *)ctx)[2] != 0; }
GLOBAL int raw(struct bpf_raw_tracepoint_args *ctx) { return ctx->args[0] != 0; }
GLOBAL int raw_words(__u64 *ctx ARG_CTX) { return ctx[1] != 0; }
GLOBAL int buffer(struct __sk_buff *ctx) { return ctx->len; }
GLOBAL int frame(struct xdp_md *ctx ARG_CTX) { return ctx->data != 0; }
GLOBAL int both_tags(void *ctx ARG_CTX ARG_NONNULL) { return ctx != 0; }
GLOBAL int nullable(struct pair *p ARG_NULLABLE) { return p ? p->a : 0; }
GLOBAL int tagged_number(int x ARG_NONNULL) { return x; }
PROGRAM("raw_tp", any_context_good) { return any_context(ctx); }
PROGRAM("kprobe", any_context_of_probe_good) { return any_context(ctx) + registers(ctx) + user_registers(ctx); }
PROGRAM("perf_event", any_context_of_perf_good) { return any_context(ctx); }
PROGRAM("tp/syscalls/sys_enter_openat", any_context_of_tracepoint_good) { return any_context(ctx); }
PROGRAM("raw_tp", raw_good) { return raw(ctx) + raw_words(ctx); }
PROGRAM("kprobe", raw_words_of_probe_bad) { return raw_words(ctx); }
PROGRAM("raw_tp", registers_of_raw_bad) { return registers(ctx); }
PROGRAM("tc", buffer_good) { return buffer(ctx) + any_context(ctx); }
PROGRAM("xdp", frame_good) { return frame(ctx); }
PROGRAM("xdp", buffer_of_xdp_bad) { return buffer(ctx); }
PROGRAM("kprobe", memory_as_context_bad) { struct pair p = {}; return any_context(&p); }
PROGRAM("kprobe", moved_context_bad) { return any_context(ctx + 8); }
PROGRAM("raw_tp", both_tags_bad) { return both_tags(ctx); }
PROGRAM("raw_tp", nullable_bad) { struct pair p = {}; return nullable(&p); }
PROGRAM("raw_tp", tagged_number_bad) { return tagged_number(1); }

// Packets.
GLOBAL int reads_packet(int *p ARG_NONNULL) { return *p; }
GLOBAL int moves_packet(struct xdp_md *ctx, int *p) { bpf_xdp_adjust_head(ctx, 4); return p ? *p : 0; }
PROGRAM("xdp", packet_good) {
  void *data = (void *)(long)((struct xdp_md *)ctx)->data, *end = (void *)(long)((struct xdp_md *)ctx)->data_end;
  return data + 4 <= end ? reads_packet(data) : 0;
}
PROGRAM("xdp", packet_outside_bad) {
  void *data = (void *)(long)((struct xdp_md *)ctx)->data, *end = (void *)(long)((struct xdp_md *)ctx)->data_end;
  return data + 3 <= end ? reads_packet(data) : 0;
}
PROGRAM("xdp", packet_that_moves_stricter) {
  void *data = (void *)(long)((struct xdp_md *)ctx)->data, *end = (void *)(long)((struct xdp_md *)ctx)->data_end;
  return data + 4 <= end ? moves_packet(ctx, data) : 0;
}
PROGRAM("xdp", moved_by_callee_bad) {
  void *data = (void *)(long)((struct xdp_md *)ctx)->data, *end = (void *)(long)((struct xdp_md *)ctx)->data_end;
  if (data + 4 > end)
    return 0;
  moves_packet(ctx, 0);
  return *(volatile int *)data;
}

// What is not called, or is no global function.
GLOBAL int never_called(int *p) { return p[1]; }
HIDDEN int hidden(struct pair *p, void *untyped) { return p->a + (untyped != 0); }
STATIC int local(struct pair *p) { return p->a; }
PROGRAM("raw_tp", not_called_good) { return checks(0); }
PROGRAM("raw_tp", hidden_good) { struct pair p = {1, 2}; return hidden(&p, &p); }
PROGRAM("raw_tp", static_good) { struct pair p = {1, 2}; return local(&p); }
PROGRAM("raw_tp", called_where_never_reached_good) {
  struct pair p = {1, 2};
  if (bpf_get_prandom_u32() > 0xffffffffull)
    return does_not_check(&p);
  return 0;
}

// Depth, stack and circles.
#define DEEPER(n, next) GLOBAL int deep##n(int x) { return next(x) + n; }
GLOBAL int deep1(int x) { return x; }
DEEPER(2, deep1) DEEPER(3, deep2) DEEPER(4, deep3) DEEPER(5, deep4) DEEPER(6, deep5) DEEPER(7, deep6) DEEPER(8, deep7)
PROGRAM("raw_tp", eight_frames_good) { return deep7(1); }
PROGRAM("raw_tp", nine_frames_bad) { return deep8(1); }
GLOBAL int big(int x) {
  volatile __u64 a[25] = {};
  return a[x & 7];
}
GLOBAL int bigger(int x) {
  volatile __u64 a[25] = {};
  return a[x & 7] + big(x);
}
GLOBAL int biggest(int x) {
  volatile __u64 a[15] = {};
  return a[x & 7] + bigger(1);
}
PROGRAM("raw_tp", stack_sum_good) { return bigger(1); }
PROGRAM("tc", stack_sum_bad) { return biggest(1); }
// Kernels since 6.13 may give each function of a tracing program a stack of its own.
PROGRAM("raw_tp", stack_sum_of_tracing_stricter) { return biggest(1); }
GLOBAL int circle_b(int x);
GLOBAL int circle_a(int x) { return x ? circle_b(x - 1) + 1 : 0; }
GLOBAL int circle_b(int x) { return x ? circle_a(x - 1) + 2 : 0; }
PROGRAM("raw_tp", circle_bad) { return circle_a(3); }

// A callback is no global function.
__attribute__((noinline)) int body(__u32 i, void *data ARG_CTX) { return 0; }
PROGRAM("raw_tp", callback_bad) { return bpf_loop(3, body, ctx, 0); }

char LICENSE[] SEC("license") = "GPL";
