// SPDX-License-Identifier: MIT
//
// Histograms as bpftrace draws them: a row per bucket, `[1K, 2K)  123 |@@@@@   |`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct Bucket { // of a log2 histogram; values in [low, high]
  uint64_t low, high;
  uint64_t count;
};

// Slot i counts values v with floor(log2(v)) == i, slot 0 also the value 0 (the habit of bcc and
// libbpf-tools). Empty slots before the first and after the last used one are left out.
std::vector<Bucket> log2_buckets(std::span<const uint64_t> slots);
// One line per bucket, each ending in a newline; nothing when all are empty.
std::string draw_histogram(std::span<const Bucket> buckets);

} // namespace bpfaot::loader
