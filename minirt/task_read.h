/* SPDX-License-Identifier: MIT
 *
 * Reads of the task that bpf_get_current_task returns, for the probe_read family.
 */
#pragma once

#include "minirt/rt.h"

/* Whether any program of the image can have such an address; the compiler writes it. */
extern const uint8_t __bpfaot_rt_reads_task __attribute__((visibility("hidden")));

/* A field of the task or of what it points to, or a part of one. */
RT_COLD bool rt_task_read(void* to, uint64_t size, uint64_t from);
/* As bpf_probe_read_str: bytes with the final zero, `size` not 0. 0 = there is no string. */
RT_COLD uint64_t rt_task_read_str(uint8_t* to, uint64_t size, uint64_t from);
