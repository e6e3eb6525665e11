// SPDX-License-Identifier: MIT
//
// No debug information, and a context that says nothing of its machine.
#include <linux/bpf.h>

static int (*get_pid)(void) = (void *)14;

__attribute__((section("uprobe"), used)) int plain(unsigned long *ctx) { return ctx[14] + get_pid(); }
