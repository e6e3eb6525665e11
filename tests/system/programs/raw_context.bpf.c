// SPDX-License-Identifier: MIT
// The context as memory: its address goes into a helper that reads anywhere, on all paths or on one.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

volatile int choice;

static __always_inline int look_at(void *address, unsigned size) {
  unsigned long copy[4] = {};
  bpf_probe_read_kernel(copy, size, address);
  return (int)copy[0];
}

// Another address on one path only, which the compiler does not see through.
#define ONE_PATH(ctx) ({ void *p = (void *)(ctx); if (choice) p = (void *)(long)choice; __asm__ volatile("" : "+r"(p)); p; })

SEC("uprobe")
int copies(struct pt_regs *ctx) { return look_at(&ctx->rsi, 16); }

SEC("uprobe")
int on_one_path(struct pt_regs *ctx) { return look_at(ONE_PATH(&ctx->rsi), 8); }

SEC("xdp")
int packet(struct xdp_md *ctx) { return look_at(ctx, 8); }

SEC("xdp")
int packet_on_one_path(struct xdp_md *ctx) { return look_at(ONE_PATH(ctx), 8); }

SEC("tc")
int buffer_on_one_path(struct __sk_buff *ctx) { return look_at(ONE_PATH(ctx), 4); }

SEC("socket")
int filter_elsewhere(struct __sk_buff *ctx) { return look_at((void *)(long)choice, 8); }

char LICENSE[] SEC("license") = "GPL";
