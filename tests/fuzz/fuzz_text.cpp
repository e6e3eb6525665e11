// SPDX-License-Identifier: MIT
//
// libFuzzer target: texts from outside. Session records that other processes left, /proc/PID/maps,
// and what stands on the command line. What parses prints to what parses the same.
#include "loader/attach_spec.h"
#include "loader/map_spec.h"
#include "loader/proc_maps.h"
#include "loader/registry.h"
#include "loader/variables.h"

#include <cstdlib>

using namespace bpfaot::loader;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1)
    return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
  case 0:
    if (const auto record = parse_record(text)) {
      const auto again = parse_record(print_record(*record));
      if (!again || *again != *record)
        std::abort();
    }
    break;
  case 1: {
    const auto maps = parse_maps(text);
    for (const MapsEntry& entry : maps)
      if (entry.start >= entry.end)
        std::abort();
    const uint64_t near = maps.empty() ? 0 : maps[0].start;
    for (const uint64_t size_wanted : {uint64_t{4096}, uint64_t{1} << 20}) {
      const uint64_t hole = find_hole(maps, size_wanted, 0, 0x7ffffffff000, near);
      for (const MapsEntry& entry : maps)
        if (hole != 0 && entry.start < hole + size_wanted && hole < entry.end)
          std::abort();
    }
    break;
  }
  case 2:
    if (const auto spec = parse_attach_spec(text))
      (void)print_attach_target(*spec);
    break;
  case 3: (void)parse_map_override(text); break;
  default: (void)bpfaot::parse_setting(text); break;
  }
  return 0;
}
