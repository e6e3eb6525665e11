// SPDX-License-Identifier: MIT
// Expected: unsupported [program-kind]
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("lsm/file_open")
int program(void *ctx) { return 0; }

char LICENSE[] SEC("license") = "GPL";
