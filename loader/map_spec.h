// SPDX-License-Identifier: MIT
//
// What a map will be created as: the image's spec, the user's overrides (--map), the defaults of
// what both leave open. Pure functions; memory is made in session.h.
#pragma once

#include "loader/image.h"
#include "support/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::loader {

struct MapOverride { // --map NAME:max_entries=N[,value_size=N][,key_size=N][,map_flags=N]
  std::string map;
  std::optional<uint32_t> max_entries, value_size, key_size, map_flags;
};

// [usage]
Result<MapOverride> parse_map_override(std::string_view text);

// The image's map after `overrides`, with defaults filled in. [map-unknown] [map-fixed] [map-spec]
Result<bpfaot_map> resolve_map(const Image& image, uint32_t index,
                               std::span<const MapOverride> overrides);

// "hash", "percpu_array", …; "type 99" for others.
std::string map_type_name(uint32_t type);
// "bytes", ".rodata", … of enum BPFAOT_MAP_*.
std::string_view map_section_name(uint32_t section);
bool is_per_cpu(uint32_t type);
// Ring buffers and perf event arrays: maps that are read as a stream of records.
bool is_stream(uint32_t type);
// Maps whose values are slots that stand for programs or maps of the image.
bool is_slots(uint32_t type);
bool is_of_maps(uint32_t type);
// Queues and stacks: values without keys.
bool is_queue(uint32_t type);

constexpr uint32_t kMapHash = 1, kMapArray = 2, kMapProgArray = 3, kMapPerfEventArray = 4, kMapPercpuHash = 5,
                   kMapPercpuArray = 6, kMapStackTrace = 7, kMapCgroupArray = 8, kMapLruHash = 9,
                   kMapLruPercpuHash = 10, kMapArrayOfMaps = 12, kMapHashOfMaps = 13,
                   kMapQueue = 22, kMapStack = 23,
                   kMapRingbuf = 27, kMapUserRingbuf = 31; // enum bpf_map_type
constexpr uint32_t kDefaultRingSize = 256 << 10;

} // namespace bpfaot::loader
