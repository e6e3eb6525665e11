// SPDX-License-Identifier: MIT
// Records whose types are found in different ways; event-types.test says which, by the ring's name.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define RING(name)                                                                                 \
  struct {                                                                                         \
    __uint(type, BPF_MAP_TYPE_RINGBUF);                                                            \
    __uint(max_entries, 4096);                                                                     \
  } name SEC(".maps")

RING(casts);
RING(chains);
RING(sizes);
RING(anonymous);
RING(same_size);
RING(named);
RING(globals);
RING(aliases);

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 4);
} perf SEC(".maps");

struct by_cast {
  __u64 cast_a, cast_b, cast_c;
};
SEC("uprobe/1")
int through_casts(void* ctx) {
  void* raw = bpf_ringbuf_reserve(&casts, sizeof(struct by_cast), 0);
  if (!raw)
    return 0;
  ((struct by_cast*)raw)->cast_a = 1;
  ((struct by_cast*)raw)->cast_b = 2;
  ((struct by_cast*)raw)->cast_c = 3;
  bpf_ringbuf_submit(raw, 0);
  return 0;
}

struct by_chain {
  __u64 chain_a[5];
};
static __attribute__((always_inline)) void fill(void* place, __u64 value) {
  struct by_chain* record = (struct by_chain*)(char*)place;
  for (int i = 0; i < 5; i++)
    record->chain_a[i] = value;
}
SEC("uprobe/2")
int through_a_chain(void* ctx) {
  void* raw = bpf_ringbuf_reserve(&chains, sizeof(struct by_chain), 0);
  void* again = raw;
  if (!raw)
    return 0;
  fill(again, 7);
  bpf_ringbuf_submit(again, 0);
  return 0;
}

struct small_record {
  __u32 small_a, small_b, small_c;
};
struct large_record {
  __u64 large_a[16];
};
SEC("uprobe/3")
int of_two_sizes(void* ctx) {
  struct small_record* small = bpf_ringbuf_reserve(&sizes, sizeof(*small), 0);
  if (small) {
    small->small_a = small->small_b = small->small_c = 1;
    bpf_ringbuf_submit(small, 0);
  }
  struct large_record* large = bpf_ringbuf_reserve(&sizes, sizeof(*large), 0);
  if (large) {
    __builtin_memset(large, 0, sizeof(*large));
    bpf_ringbuf_submit(large, 0);
  }
  return 0;
}

SEC("uprobe/4")
int without_a_name(void* ctx) {
  struct {
    __u32 unnamed_a;
    union {
      __u32 unnamed_b;
      __u8 unnamed_c[4];
    };
    struct {
      __u64 inner;
    } nested[6];
  }* event = bpf_ringbuf_reserve(&anonymous, sizeof(*event), 0);
  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof(*event));
  event->unnamed_a = 4;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

struct first_of_size {
  __u64 first_a, first_b[8];
};
struct second_of_size {
  __u32 second_a[18];
};
SEC("uprobe/5")
int one_of_two(void* ctx) {
  struct first_of_size* event = bpf_ringbuf_reserve(&same_size, sizeof(*event), 0);
  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof(*event));
  bpf_ringbuf_submit(event, 0);
  return 0;
}
SEC("uprobe/6")
int other_of_two(void* ctx) {
  struct second_of_size* event = bpf_ringbuf_reserve(&same_size, sizeof(*event), 0);
  if (!event)
    return 0;
  __builtin_memset(event, 0, sizeof(*event));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

struct scratch_record {
  __u64 scratch_a[10];
};
struct handed_record {
  __u64 handed_a, handed_b[9];
};
SEC("uprobe/7")
int the_one_that_is_handed_over(void* ctx) {
  struct scratch_record scratch = {};
  struct handed_record handed = {};
  scratch.scratch_a[3] = bpf_get_prandom_u32();
  __asm__ volatile("" ::"r"(&scratch) : "memory");
  handed.handed_a = scratch.scratch_a[3];
  bpf_ringbuf_output(&named, &handed, sizeof(handed), 0);
  bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &handed, sizeof(handed));
  return 0;
}

struct global_record {
  __u64 global_a[11];
} kept;
SEC("uprobe/8")
int from_a_global(void* ctx) {
  kept.global_a[1] += 1;
  bpf_ringbuf_output(&globals, &kept, sizeof(kept), 0);
  return 0;
}

typedef struct {
  __u64 alias_a[12];
} alias_t;
SEC("uprobe/9")
int by_an_alias(void* ctx) {
  const alias_t* const event = bpf_ringbuf_reserve(&aliases, sizeof(alias_t), 0);
  if (!event)
    return 0;
  ((alias_t*)event)->alias_a[0] = 1;
  bpf_ringbuf_submit((void*)event, 0);
  return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
