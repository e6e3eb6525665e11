/* SPDX-License-Identifier: MIT
 *
 * Reading memory that may not be there, for helpers.
 */
#pragma once

#include "minirt/rt.h"

/* 0, or -EFAULT with `to` zeroed. */
RT_SLOW int64_t rt_probe_read(void* to, uint64_t size, uint64_t from);
/* Length with the NUL that it always writes; -EFAULT with `to` zeroed; 0 for size 0. */
RT_SLOW int64_t rt_probe_read_str(void* to, uint64_t size, uint64_t from);
