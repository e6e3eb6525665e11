// SPDX-License-Identifier: MIT
//
// One of everything that an object can hold; tests/unit/bpf/object_test.cpp knows the names.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct key { __u32 a; __u16 b; };
struct value { __u64 count; char name[16]; };

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
  __type(key, struct key);
  __type(value, struct value);
} table SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 4);
} output SEC(".maps");

struct inner {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 7);
  __type(key, __u32);
  __type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 4);
  __type(key, __u32);
  __array(values, struct inner);
} outer SEC(".maps") = {.values = {[0] = &first, [2] = &second}};

int tail(struct pt_regs *ctx);
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 3);
  __uint(key_size, 4);
  __array(values, int(struct pt_regs *));
} tails SEC(".maps") = {.values = {[1] = (void *)&tail}};

struct {
  __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
  __uint(max_entries, 100);
  __uint(map_extra, 3);
  __type(value, __u32);
} bloom SEC(".maps");

const volatile __u32 limit = 12;
const volatile struct value settings = {.count = 3};
__u64 total = 5;
__u64 hits[4];
static __u32 hidden __attribute__((section(".data.own"))) = 9;

extern __u32 LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
extern int CONFIG_HZ __kconfig;
extern int CONFIG_MAYBE __kconfig __weak;
extern const int kernel_variable __ksym;
extern const int kernel_variable_maybe __ksym __weak;
extern int kernel_function(int) __ksym;
extern int kernel_function_maybe(int) __ksym __weak;

static __attribute__((noinline)) int leaf(__u64 x) {
  __sync_fetch_and_add(&total, x);
  return total > limit;
}

__attribute__((noinline)) int middle(__u64 x) {
  asm volatile("" : "+r"(x));
  return leaf(x + 1) + (int)hits[x & 3];
}

static int each(void *map, void *key, struct value *v, void *ctx) { return v->count == 0; }

SEC("uprobe//usr/bin/bash:readline")
int calls(struct pt_regs *ctx) {
  hidden += 1;
  return middle(PT_REGS_PARM1(ctx)) + leaf(settings.count);
}

SEC("uretprobe/libc.so.6:malloc+4")
int callback(struct pt_regs *ctx) {
  struct value *v;
  struct key k = {1, 2};
  v = bpf_map_lookup_elem(&table, &k);
  if (v)
    v->count++;
  return bpf_for_each_map_elem(&table, each, 0, 0);
}

SEC("?uprobe")
int tail(struct pt_regs *ctx) { return bpf_tail_call(ctx, &tails, 1), 0; }

SEC("uprobe")
int config(struct pt_regs *ctx) { return LINUX_KERNEL_VERSION + LINUX_HAS_BPF_COOKIE + CONFIG_MAYBE; }

SEC("uprobe")
int config_unknown(struct pt_regs *ctx) { return CONFIG_HZ; }

SEC("uprobe")
int ksym(struct pt_regs *ctx) { return *(volatile int *)&kernel_variable; }

SEC("uprobe")
int ksym_weak(struct pt_regs *ctx) { return &kernel_variable_maybe != 0; }

SEC("uprobe")
int kfunc(struct pt_regs *ctx) { return kernel_function(1); }

SEC("uprobe")
int kfunc_weak(struct pt_regs *ctx) { return kernel_function_maybe ? kernel_function_maybe(1) : 0; }

struct nsproxy___x { int count; } __attribute__((preserve_access_index));
struct task_struct { int tgid; struct nsproxy___x *nsproxy; } __attribute__((preserve_access_index));
enum bpf_feature { FEATURE_A = 4, FEATURE_B = 9 };

SEC("uprobe")
int core_field(struct pt_regs *ctx) {
  struct task_struct *task = (void *)bpf_get_current_task();
  return BPF_CORE_READ(task, tgid);
}

SEC("uprobe")
int core_enum(struct pt_regs *ctx) { return bpf_core_enum_value_exists(enum bpf_feature, FEATURE_B); }

SEC("uprobe")
int core_local_id(struct pt_regs *ctx) { return bpf_core_type_id_local(struct task_struct); }

SEC("fentry/do_unlinkat")
int kernel_only_program(void *ctx) { return 0; }

SEC("uprobe/bad:")
int bad_section(struct pt_regs *ctx) { return 0; }

SEC("nonsense/what")
int unknown_kind(void *ctx) { return 0; }

char LICENSE[] SEC("license") = "Dual MIT/GPL";
