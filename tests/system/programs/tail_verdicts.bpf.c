// SPDX-License-Identifier: MIT
// One rule about tail calls or maps in maps in each program. The name says the verdict: NAME_good and
// NAME_bad are the kernel's (6.18) and ours; NAME_stricter is refused here only.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define GLOBAL __attribute__((noinline, weak)) // weak: the compiler must not look into it
#define STATIC static __attribute__((noinline))
#define PROGRAM(kind, name) SEC("?" kind) int name(struct xdp_md *ctx)

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 4);
  __uint(key_size, 4);
  __uint(value_size, 4);
} jump SEC(".maps"), jump_tc SEC(".maps"), jump_probe SEC(".maps"); // each for one kind of programs

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct numbers {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 8);
  __type(key, __u32);
  __type(value, __u64);
} plain SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct numbers);
} outer SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u64);
  __array(values, struct numbers);
} outer_hash SEC(".maps");

STATIC int in_static(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &jump, 1);
  return 1;
}
GLOBAL int in_global(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &jump, 2);
  return 2;
}

PROGRAM("xdp", tail_good) {
  bpf_tail_call(ctx, &jump, 0);
  return 0;
}
PROGRAM("xdp", function_good) { return in_static(ctx); }
PROGRAM("xdp", global_good) { return in_global(ctx); }
PROGRAM("tc", of_tc_good) {
  bpf_tail_call(ctx, &jump_tc, 0);
  return 0;
}
PROGRAM("kprobe", of_probe_good) {
  bpf_tail_call(ctx, &jump_probe, 0);
  return 0;
}
PROGRAM("uprobe.s", sleepable_bad) {
  bpf_tail_call(ctx, &jump, 0);
  return 0;
}
PROGRAM("syscall", syscall_bad) {
  bpf_tail_call(ctx, &jump, 0);
  return 0;
}

PROGRAM("xdp", result_bad) {
  int result;
  asm volatile("r1 = %1\n r2 = %2 ll\n r3 = 0\n call 12\n %0 = r0"
               : "=r"(result) : "r"(ctx), "i"(&jump) : "r0", "r1", "r2", "r3", "r4", "r5");
  return result;
}
PROGRAM("xdp", arguments_bad) {
  __u64 result;
  asm volatile("r1 = %1\n r2 = %2 ll\n r3 = 0\n call 12\n %0 = r3"
               : "=r"(result) : "r"(ctx), "i"(&jump) : "r0", "r1", "r2", "r3", "r4", "r5");
  return (int)result;
}
PROGRAM("xdp", any_index_good) {
  bpf_tail_call(ctx, &jump, (__u32)(long)ctx);
  return 0;
}
PROGRAM("xdp", moved_context_bad) {
  bpf_tail_call((char *)ctx + 8, &jump, 0);
  return 0;
}
PROGRAM("xdp", other_map_bad) {
  bpf_tail_call(ctx, &plain, 0);
  return 0;
}

PROGRAM("xdp", lookup_bad) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&jump, &key) != 0;
}
PROGRAM("xdp", update_bad) {
  __u32 key = 0;
  return (int)bpf_map_update_elem(&jump, &key, &key, 0);
}
PROGRAM("xdp", delete_bad) {
  __u32 key = 0;
  return (int)bpf_map_delete_elem(&jump, &key);
}

PROGRAM("xdp", record_bad) {
  void *record = bpf_ringbuf_reserve(&ring, 8, 0);
  if (!record)
    return 0;
  bpf_tail_call(ctx, &jump, 0);
  bpf_ringbuf_discard(record, 0);
  return 0;
}
PROGRAM("xdp", record_of_caller_good) {
  void *record = bpf_ringbuf_reserve(&ring, 8, 0);
  if (!record)
    return 0;
  int result = in_static(ctx);
  bpf_ringbuf_discard(record, 0);
  return result;
}
STATIC int holds_record(struct xdp_md *ctx) {
  void *record = bpf_ringbuf_reserve(&ring, 8, 0);
  if (!record)
    return 0;
  bpf_tail_call(ctx, &jump, 0);
  bpf_ringbuf_discard(record, 0);
  return 0;
}
PROGRAM("xdp", record_of_function_bad) { return holds_record(ctx); }

STATIC void returns_nothing(struct xdp_md *ctx) { bpf_tail_call(ctx, &jump, 0); }
PROGRAM("xdp", void_bad) {
  returns_nothing(ctx);
  return 0;
}

static int callback(__u32 index, struct xdp_md **context) {
  bpf_tail_call(*context, &jump, 0);
  return 0;
}
PROGRAM("xdp", callback_bad) {
  struct xdp_md *context = ctx;
  return (int)bpf_loop(2, callback, &context, 0);
}

#define PACKET                                                                                    \
  char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;                       \
  if (data + 4 > end)                                                                             \
    return 0
PROGRAM("xdp", packet_good) {
  PACKET;
  bpf_tail_call(ctx, &jump, 0);
  return data[1];
}
PROGRAM("xdp", packet_of_caller_bad) {
  PACKET;
  in_static(ctx);
  return data[1];
}
PROGRAM("xdp", packet_of_caller_of_global_bad) {
  PACKET;
  in_global(ctx);
  return data[1];
}

#define ROOM(bytes)                                                                               \
  volatile char room[bytes];                                                                      \
  __u64 at = ctx->ingress_ifindex;                                                                \
  asm volatile("%0 &= 127" : "+r"(at));                                                           \
  room[at] = 1
PROGRAM("xdp", stack_good) {
  ROOM(240);
  return in_static(ctx) + room[at];
}
PROGRAM("xdp", stack_bad) {
  ROOM(256);
  return in_static(ctx) + room[at];
}
PROGRAM("xdp", own_stack_good) {
  ROOM(500);
  bpf_tail_call(ctx, &jump, 0);
  return room[at];
}

static __always_inline void *find(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&outer, &zero);
}
PROGRAM("xdp", inner_good) {
  __u32 key = 3;
  void *inner = find();
  __u64 *value = inner ? bpf_map_lookup_elem(inner, &key) : 0;
  return value ? (int)*value : 0;
}
PROGRAM("xdp", inner_of_hash_good) {
  __u64 outer_key = 1;
  __u32 key = 3;
  void *inner = bpf_map_lookup_elem(&outer_hash, &outer_key);
  return inner ? (int)bpf_map_update_elem(inner, &key, &outer_key, 0) : 0;
}
PROGRAM("xdp", inner_unchecked_bad) {
  __u32 key = 3;
  return bpf_map_lookup_elem(find(), &key) != 0;
}
PROGRAM("xdp", inner_value_bad) {
  __u32 key = 3;
  void *inner = find();
  __u64 *value = inner ? bpf_map_lookup_elem(inner, &key) : 0;
  return value ? (int)value[1] : 0;
}
PROGRAM("xdp", inner_written_bad) {
  __u64 *inner = find();
  if (inner)
    *inner = 1;
  return 0;
}
PROGRAM("xdp", inner_record_bad) {
  void *inner = find();
  return inner ? bpf_ringbuf_reserve(inner, 8, 0) != 0 : 0;
}
PROGRAM("xdp", outer_update_bad) {
  __u32 key = 0;
  return (int)bpf_map_update_elem(&outer, &key, &key, 0);
}
PROGRAM("xdp", outer_delete_bad) {
  __u64 key = 0;
  return (int)bpf_map_delete_elem(&outer_hash, &key);
}
static long visit(void *map, __u32 *key, __u64 *value, void *nothing) { return *value != 0; }
PROGRAM("xdp", inner_each_good) {
  void *inner = find();
  return inner ? (int)bpf_for_each_map_elem(inner, visit, 0, 0) : 0;
}
PROGRAM("xdp", outer_each_bad) { return (int)bpf_for_each_map_elem(&outer, visit, 0, 0); }
PROGRAM("xdp", map_or_value_stricter) {
  __u32 key = 0;
  return bpf_map_lookup_elem(ctx->ingress_ifindex ? (void *)&outer : (void *)&plain, &key) != 0;
}

char LICENSE[] SEC("license") = "GPL";
