// SPDX-License-Identifier: MIT
// Dynptrs: each program depends on its input alone (four words), so it returns here what it returns in
// the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __ksym;
extern _Bool bpf_dynptr_is_null(const struct bpf_dynptr *p) __ksym;
extern _Bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer, __u32 size) __ksym;

struct input {
  __u64 word[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct value {
  __u8 bytes[100];
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct value);
} array SEC(".maps");

__u8 memory[64];

static int fold(const __u8 *bytes, int size) {
  int sum = 7;
  for (int i = 0; i < size; i++)
    sum = sum * 31 + bytes[i];
  return sum;
}

SEC("syscall")
int write_and_read(struct input *in) {
  struct input copy = *in;
  struct bpf_dynptr d;
  __u8 back[16] = {};
  long sum = bpf_dynptr_from_mem(memory, sizeof(memory), 0, &d);
  sum = sum * 7 + bpf_dynptr_write(&d, 5, &copy, 16, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, 3, 0);
  return (int)sum + fold(back, 16);
}

SEC("syscall")
int outside(struct input *in) {
  struct bpf_dynptr d;
  __u8 back[16] = {};
  __u32 at = (__u32)in->word[0];
  long sum = bpf_dynptr_from_mem(memory, 40, 0, &d);
  sum = sum * 7 + bpf_dynptr_write(&d, at, back, 16, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, at, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, 24, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, 25, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, 0xfffffff8, 0);
  sum = sum * 7 + bpf_dynptr_read(back, 16, &d, 0, 1);
  sum = sum * 7 + bpf_dynptr_write(&d, 0, back, 16, 1);
  sum = sum * 7 + (bpf_dynptr_data(&d, 24, 16) != 0);
  sum = sum * 7 + (bpf_dynptr_data(&d, 25, 16) != 0);
  return (int)sum;
}

SEC("syscall")
int bad_flags(struct input *in) {
  struct bpf_dynptr d;
  __u8 back[8] = {};
  long sum = bpf_dynptr_from_mem(memory, sizeof(memory), 1, &d);
  sum = sum * 7 + bpf_dynptr_is_null(&d);
  sum = sum * 7 + (int)bpf_dynptr_size(&d);
  sum = sum * 7 + bpf_dynptr_read(back, 8, &d, 0, 0);
  sum = sum * 7 + bpf_dynptr_write(&d, 0, back, 8, 0);
  sum = sum * 7 + bpf_dynptr_adjust(&d, 0, 0);
  sum = sum * 7 + bpf_dynptr_is_rdonly(&d);
  sum = sum * 7 + (bpf_dynptr_data(&d, 0, 1) != 0);
  return (int)sum;
}

SEC("syscall")
int slices(struct input *in) {
  struct bpf_dynptr d;
  __u8 buffer[4] = {};
  int sum = 0;
  bpf_dynptr_from_mem(memory, sizeof(memory), 0, &d);
  __u8 *w = bpf_dynptr_data(&d, 9, 8);
  if (!w)
    return -1;
  for (int i = 0; i < 8; i++)
    w[i] = (__u8)(in->word[1] >> 8 * i);
  __u32 *r = bpf_dynptr_slice(&d, 11, buffer, 4);
  if (!r)
    return -2;
  sum = (int)*r;
  __u8 *data = bpf_dynptr_data(&d, 8, 10);
  if (!data)
    return -3;
  data[9] = 3;
  return sum * 5 + fold(data, 10);
}

SEC("syscall")
int adjusted(struct input *in) {
  struct input copy = *in;
  struct bpf_dynptr d, clone;
  __u32 from = (__u32)in->word[0] & 15, to = from + ((__u32)in->word[1] & 63);
  __u8 back[4] = {};
  long sum = bpf_dynptr_from_mem(memory, sizeof(memory), 0, &d);
  bpf_dynptr_write(&d, 0, &copy, 32, 0);
  bpf_dynptr_clone(&d, &clone);
  sum = sum * 7 + bpf_dynptr_adjust(&d, from, to);
  sum = sum * 7 + bpf_dynptr_size(&d);
  sum = sum * 7 + bpf_dynptr_read(back, 4, &d, 0, 0);
  sum = sum * 7 + bpf_dynptr_adjust(&d, 2, 1);
  sum = sum * 7 + bpf_dynptr_adjust(&d, 0, 1000);
  sum = sum * 7 + bpf_dynptr_adjust(&d, 1, bpf_dynptr_size(&d));
  sum = sum * 7 + bpf_dynptr_size(&d);
  sum = sum * 7 + bpf_dynptr_size(&clone);
  sum = sum * 7 + bpf_dynptr_is_null(&clone) + bpf_dynptr_is_rdonly(&clone);
  return (int)sum + fold(back, 4);
}

SEC("syscall")
int of_map_value(struct input *in) {
  struct input copy = *in;
  struct bpf_dynptr d;
  __u32 key = in->word[0] & 1;
  struct value *value = bpf_map_lookup_elem(&array, &key);
  if (!value)
    return -1;
  bpf_dynptr_from_mem(value, sizeof(*value), 0, &d);
  bpf_dynptr_write(&d, 90, &copy, 10, 0);
  bpf_dynptr_write(&d, 0, &copy, 11, 0);
  return fold(value->bytes, 100) + (int)bpf_dynptr_size(&d);
}

SEC("syscall")
int records(struct input *in) {
  struct input copy = *in;
  struct bpf_dynptr d;
  __u32 size = ((__u32)in->word[0] & 63) + 16;
  long sum = bpf_ringbuf_reserve_dynptr(&ring, size, 0, &d);
  sum = sum * 7 + bpf_dynptr_write(&d, 3, &copy, 12, 0);
  sum = sum * 7 + (int)bpf_dynptr_size(&d);
  __u64 *word = bpf_dynptr_data(&d, 8, 8);
  if (word) {
    *word = in->word[2];
    sum += 3;
  }
  __u8 back[12] = {};
  sum = sum * 7 + bpf_dynptr_read(back, 12, &d, 2, 0);
  if (in->word[0] & 1)
    bpf_ringbuf_submit_dynptr(&d, 0);
  else
    bpf_ringbuf_discard_dynptr(&d, 0);
  return (int)sum + fold(back + 1, 11);
}

// A reservation that fails is to be given back as well.
SEC("syscall")
int failed_records(struct input *in) {
  struct bpf_dynptr d;
  long sum = bpf_ringbuf_reserve_dynptr(&ring, 5000, 0, &d);
  sum = sum * 7 + bpf_dynptr_is_null(&d);
  bpf_ringbuf_discard_dynptr(&d, 0);
  sum = sum * 7 + bpf_ringbuf_reserve_dynptr(&ring, 16, 1, &d);
  bpf_ringbuf_submit_dynptr(&d, 0);
  sum = sum * 7 + bpf_ringbuf_reserve_dynptr(&ring, 1 << 24, 0, &d);
  bpf_ringbuf_discard_dynptr(&d, 0);
  return (int)sum;
}

// The clone lies over half of what it is a clone of, which is gone then.
SEC("syscall")
int overlying(struct input *in) {
  struct input copy = *in;
  __u64 place[3];
  struct bpf_dynptr *d = (struct bpf_dynptr *)&place[0], *clone = (struct bpf_dynptr *)&place[1];
  __u8 back[4] = {};
  asm volatile("" : "+r"(d), "+r"(clone));
  long sum = bpf_dynptr_from_mem(memory, 40, 0, d);
  sum = sum * 7 + bpf_dynptr_write(d, 0, &copy, 32, 0);
  sum = sum * 7 + bpf_dynptr_clone(d, clone);
  sum = sum * 7 + bpf_dynptr_size(clone);
  sum = sum * 7 + bpf_dynptr_read(back, 4, clone, 30, 0);
  return (int)sum + fold(back, 4);
}

static __attribute__((noinline)) int through_function(struct bpf_dynptr *d, __u32 at) {
  __u8 byte = 0;
  int error = bpf_dynptr_read(&byte, 1, d, at, 0);
  return error * 1000 + byte;
}

SEC("syscall")
int in_function(struct input *in) {
  struct input copy = *in;
  struct bpf_dynptr d;
  int sum = 0;
  bpf_dynptr_from_mem(memory, 32, 0, &d);
  bpf_dynptr_write(&d, 0, &copy, 32, 0);
  for (__u32 i = 28; i < 34; i++)
    sum = sum * 3 + through_function(&d, i);
  return sum;
}

char LICENSE[] SEC("license") = "GPL";
