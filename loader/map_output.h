// SPDX-License-Identifier: MIT
//
// Maps and global variables as lines: `@name[key]: value`, histograms with bars, or JSON objects.
#pragma once

#include "loader/image.h"
#include "loader/session.h"

#include <string>

namespace bpfaot::loader {

struct MapOutputOptions {
  bool json = false;
  bool per_cpu = false;  // each value of per-CPU maps instead of the sum
  bool all_maps = false; // scratch maps and long variables too
  int target = 0;        // the process that stacks are of, for names; 0 = it has ended
};

// One map; "" when it is empty or holds no values.
std::string print_map(const Image& image, const Session& session, uint32_t map,
                      const MapOutputOptions& options);
// Variables of .bss and .data that differ from their first values.
std::string print_variables(const Image& image, const Session& session,
                            const MapOutputOptions& options);
// All of them, as at the end of a run.
std::string print_maps(const Image& image, const Session& session, const MapOutputOptions& options);

} // namespace bpfaot::loader
