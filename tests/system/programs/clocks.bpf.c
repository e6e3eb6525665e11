// SPDX-License-Identifier: MIT
// Clocks and places, written into the packet: what the kernel says before and after must be around it.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int clocks(struct __sk_buff *skb) {
  __u64 out[4] = {bpf_jiffies64(), bpf_ktime_get_coarse_ns(), bpf_ktime_get_tai_ns(), bpf_get_numa_node_id()};
  struct bpf_pidns_info ids = {7, 7};
  long wrong = bpf_get_ns_current_pid_tgid(1, 2, &ids, sizeof ids);
  bpf_skb_store_bytes(skb, 14, out, sizeof out, 0);
  return wrong == -22 && ids.pid == 0 && ids.tgid == 0;
}

char LICENSE[] SEC("license") = "GPL";
