// SPDX-License-Identifier: MIT
//
// Buckets and bars.
#include "loader/histogram.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kBarWidth = 52;

// 1K, 2M, …: powers of 1024 as one letter, other numbers in full.
std::string bound_text(uint64_t value) {
  static constexpr char kUnits[] = {'\0', 'K', 'M', 'G', 'T', 'P', 'E'};
  size_t unit = 0;
  while (value != 0 && value % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  std::string text = std::to_string(value);
  if (unit != 0)
    text += kUnits[unit];
  return text;
}

std::string range_text(const Bucket& bucket) {
  if (bucket.low == bucket.high)
    return "[" + bound_text(bucket.low) + "]";
  if (bucket.high == UINT64_MAX)
    return "[" + bound_text(bucket.low) + ", ...)";
  return "[" + bound_text(bucket.low) + ", " + bound_text(bucket.high + 1) + ")";
}

} // namespace

std::vector<Bucket> log2_buckets(std::span<const uint64_t> slots) {
  size_t first = 0, last = slots.size();
  while (first < last && slots[first] == 0)
    ++first;
  while (last > first && slots[last - 1] == 0)
    --last;
  std::vector<Bucket> buckets;
  for (size_t i = first; i < last; ++i) {
    const uint64_t low = i == 0 ? 0 : i < 64 ? uint64_t{1} << i : UINT64_MAX;
    const uint64_t high = i < 63 ? (uint64_t{1} << (i + 1)) - 1 : UINT64_MAX;
    buckets.push_back({low, high, slots[i]});
  }
  return buckets;
}

std::string draw_histogram(std::span<const Bucket> buckets) {
  uint64_t largest = 0;
  for (const Bucket& bucket : buckets)
    largest = std::max(largest, bucket.count);
  std::string out;
  if (largest == 0)
    return out;
  for (const Bucket& bucket : buckets) {
    const auto bar = size_t(double(bucket.count) / double(largest) * double(kBarWidth));
    char head[64];
    std::snprintf(head, sizeof head, "%-16s %10" PRIu64 " |", range_text(bucket).c_str(), bucket.count);
    out += head;
    out.append(bar, '@').append(kBarWidth - bar, ' ').append("|\n");
  }
  return out;
}

} // namespace bpfaot::loader
