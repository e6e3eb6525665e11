// SPDX-License-Identifier: MIT
//
// Writes tar archives (ustar) that depend on nothing but names and contents: no time, no owner. Does
// not read them.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace bpfaot {

class TarWriter {
public:
  // A regular file. `name` is relative, with slashes, at most 255 bytes and splittable as the format
  // wants it. [usage]
  Status add(std::string_view name, std::span<const uint8_t> content);
  Status add(std::string_view name, std::string_view text);
  // The archive with its end mark.
  std::vector<uint8_t> take();

private:
  std::vector<uint8_t> bytes_;
};

} // namespace bpfaot
