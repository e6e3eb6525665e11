// SPDX-License-Identifier: MIT
//
// The kernel as oracle of which maps can be made: same sizes and flags, same errors. What the maps
// do then is compared in differential_test.cpp.
#include "tests/unit/minirt/kernel.h"

#include <gtest/gtest.h>

using namespace bpfaot::test;

TEST(KernelCreate, accepts_and_refuses_the_same_maps) {
  KernelMap probe(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
  if (probe.fd() < 0)
    GTEST_SKIP() << "bpf(2) is not permitted here";
  // Hash keys of more than 512 bytes (which fit no program's stack) we refuse, newer kernels do
  // not.
  const uint32_t sizes[] = {0, 1, 4, 8, 512}, entries[] = {0, 1, 4096, 5000};
  for (uint32_t type :
       {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY,
        BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_QUEUE,
        BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_STACK_TRACE, BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_PERF_EVENT_ARRAY,
        BPF_MAP_TYPE_CGROUP_ARRAY})
    for (uint32_t key : sizes)
      for (uint32_t value : sizes)
        for (uint32_t count : entries)
          for (uint32_t flags : {0u, 1u, 2u, 3u, 4u, 6u, 8u, 0x40u, 0x80u, 0x400u, 0x800u, 0x8000u}) {
            if (type == BPF_MAP_TYPE_PERF_EVENT_ARRAY && count == 0)
              continue; // libbpf puts the number of CPUs there, so do we
            KernelMap theirs(type, key, value, count, flags);
            TestMap ours(type, key, value, count, flags, 2);
            int expected = theirs.fd() < 0 ? theirs.fd() : 0;
            EXPECT_EQ(ours.layout, expected) << "type " << type << " key " << key << " value "
                                             << value << " entries " << count << " flags " << flags;
          }
}
