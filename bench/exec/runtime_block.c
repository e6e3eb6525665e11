/* SPDX-License-Identifier: MIT
 *
 * The runtime block of natively compiled programs, which the harness fills as a loader would.
 */
#include <bpfaot/abi.h>

union {
  struct bpfaot_rt rt;
  char bytes[sizeof(struct bpfaot_rt) + 8 * sizeof(struct bpfaot_map_slot)];
} __bpfaot_rt __attribute__((visibility("hidden"), aligned(4096)));

/* No program here asks for the current task. */
const uint8_t __bpfaot_rt_reads_task __attribute__((visibility("hidden"))) = 0;

__attribute__((visibility("default"))) void* bench_runtime_block(uint64_t* size) {
  *size = sizeof __bpfaot_rt;
  return &__bpfaot_rt;
}
