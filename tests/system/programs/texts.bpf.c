// SPDX-License-Identifier: MIT
// Helpers that read and write text. A packet holds the arguments behind its link-layer header and gets
// the results; here and in the kernel they must be the same.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

enum { kHeader = 14, kText = 80 };

struct input {
  __u64 flags;
  __u32 size; // of text
  __u32 room; // for the formatted text
  char text[kText];
};

struct output {
  __s64 consumed, number, consumed_unsigned;
  __u64 unsigned_number;
  __s64 compared, compared_empty, formatted, measured;
  char text[48];
};

static const char kConstant[] = "hello, world";

SEC("tc")
int texts(struct __sk_buff *skb) {
  struct input in;
  struct output out = {};
  if (bpf_skb_load_bytes(skb, kHeader, &in, sizeof in) != 0)
    return 1;
  __u32 size = in.size, room = in.room;
  asm volatile("" : "+r"(size), "+r"(room)); // what is checked is what is used
  if (size == 0 || size > kText)
    return 2;
  if (room > sizeof out.text)
    return 3;
  out.number = 77;
  out.unsigned_number = 88;
  out.consumed = bpf_strtol(in.text, size, in.flags, (long *)&out.number);
  out.consumed_unsigned = bpf_strtoul(in.text, size, in.flags, (unsigned long *)&out.unsigned_number);
  out.compared = bpf_strncmp(in.text, size, kConstant);
  out.compared_empty = bpf_strncmp(in.text, size, "");
  __u64 args[3] = {(__u64)out.number, out.unsigned_number, (__u64)(long)in.text};
  in.text[kText - 1] = 0;
  out.formatted = bpf_snprintf(out.text, room, "%5d|%llx|%s|%%", args, sizeof args);
  out.measured = bpf_snprintf(0, 0, "nothing but text", 0, 0);
  bpf_skb_store_bytes(skb, kHeader, &out, sizeof out, 0);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
