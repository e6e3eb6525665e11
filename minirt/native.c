/* SPDX-License-Identifier: MIT
 *
 * The runtime block of the loader itself: no clock, threads or session; map code needs none of
 * them.
 */
#include "minirt/rt.h"

struct bpfaot_rt __bpfaot_rt = {
    .size = sizeof(struct bpfaot_rt),
    .abi_version = BPFAOT_ABI_VERSION,
    .page_size = 4096,
    .printk_map = BPFAOT_NONE,
};
