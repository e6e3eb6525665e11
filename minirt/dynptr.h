/* SPDX-License-Identifier: MIT
 *
 * What the sixteen bytes of a struct bpf_dynptr are here.
 */
#pragma once

#include <stdint.h>

struct rt_dynptr {
  uint8_t* data; /* null: of nothing */
  uint32_t size; /* of the piece; the highest bit: is not written */
  uint32_t offset;
};

enum { RT_DYNPTR_MOST = (1 << 24) - 1 }; /* bytes */
