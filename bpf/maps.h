// SPDX-License-Identifier: MIT
//
// Access to maps.def (map types that minirt implements) and kernel_maps.def (every type the kernel
// has, so that the rest can be refused by name).
#pragma once

#include "bpf/map_def.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::bpf {

// The helper families a map type serves, one bit each; a helper accepts a set of them.
using MapClassMask = uint32_t;
namespace map_class {
inline constexpr MapClassMask no_map = 0;
inline constexpr MapClassMask keyed = 1u << 0; // lookup, update, delete
inline constexpr MapClassMask perf_event_array = 1u << 1;
inline constexpr MapClassMask cgroup_array = 1u << 2;
inline constexpr MapClassMask ringbuf = 1u << 3;
inline constexpr MapClassMask queue_stack = 1u << 4; // push, pop, peek
inline constexpr MapClassMask percpu = 1u << 5;      // lookup of one CPU's value
inline constexpr MapClassMask stack_trace = 1u << 6;
inline constexpr MapClassMask iterable = 1u << 7; // for_each_map_elem
inline constexpr MapClassMask user_ringbuf = 1u << 8; // drain
inline constexpr MapClassMask prog_array = 1u << 9; // tail_call
inline constexpr MapClassMask of_maps = 1u << 10; // lookup gives a map
inline constexpr MapClassMask any_map = UINT32_MAX;
} // namespace map_class

struct MapTypeInfo {
  MapType type;
  std::string_view name;
  MapClassMask map_class;
  bool per_cpu;
};

std::span<const MapTypeInfo> all_map_types();   // those of maps.def
const MapTypeInfo* find_map_type(MapType type); // null: minirt has none
inline bool is_supported(MapType type) {
  return find_map_type(type) != nullptr;
}
inline bool is_of_maps(MapType type) {
  return type == MapType::array_of_maps || type == MapType::hash_of_maps;
}
inline MapClassMask map_class_of(MapType type) {
  const MapTypeInfo* info = find_map_type(type);
  return info != nullptr ? info->map_class : map_class::no_map;
}
// "stack_trace" for any type of the kernel, "map type 99" for others.
std::string map_type_name(MapType type);

} // namespace bpfaot::bpf
