// SPDX-License-Identifier: MIT
//
// A map as the object defines it: a BTF-defined map of `.maps` or the map behind a data section.
#pragma once

#include "bpf/insn.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bpfaot::bpf {

// Numbers of enum bpf_map_type (uapi/linux/bpf.h); names and what we support come from maps.def.
enum class MapType : uint32_t {
  unspec = 0, hash = 1, array = 2, prog_array = 3, perf_event_array = 4, percpu_hash = 5,
  percpu_array = 6, stack_trace = 7, cgroup_array = 8, lru_hash = 9, lru_percpu_hash = 10,
  lpm_trie = 11, array_of_maps = 12, hash_of_maps = 13, queue = 22, stack = 23, ringbuf = 27,
  bloom_filter = 30, user_ringbuf = 31, arena = 33,
};

enum class MapSection : uint8_t { ordinary, rodata, data, bss, kconfig };

struct MapValueInit { // static initial value: values[index] = &other_map or &program
  uint32_t index;
  std::string symbol;
};

struct MapDef {
  std::string name; // for data sections the section's name, e.g. ".rodata"
  MapType type = MapType::unspec;
  uint32_t key_size = 0, value_size = 0, max_entries = 0, flags = 0; // 0 = left open
  uint32_t pinning = 0, numa_node = 0;
  uint64_t map_extra = 0;
  uint32_t key_type = 0, value_type = 0; // BTF type ids, 0 = unknown
  MapSection section = MapSection::ordinary;
  std::vector<uint8_t> initial; // data sections: contents (bss: zeros are not stored)
  std::optional<MapId> inner;   // definition of inner maps, kept in the same list
  bool is_inner_template = false;
  std::vector<MapValueInit> values;
  // Bytes of `initial` that nobody changes before the programs run: [begin, end), sorted.
  std::vector<std::pair<uint32_t, uint32_t>> fixed;

  // What a program relies on when it has found this map in another one.
  bool has_shape_of(const MapDef& other) const {
    const bool is_array = type == MapType::array || type == MapType::percpu_array;
    return type == other.type && key_size == other.key_size && value_size == other.value_size &&
           flags == other.flags && (!is_array || max_entries == other.max_entries);
  }
  bool is_per_cpu() const {
    return type == MapType::percpu_hash || type == MapType::percpu_array || type == MapType::lru_percpu_hash;
  }
  bool is_fixed(uint64_t begin, uint64_t end) const {
    for (const auto& [first, last] : fixed)
      if (first <= begin && end <= last)
        return true;
    return false;
  }
  bool read_only_for_programs() const { return section == MapSection::rodata || section == MapSection::kconfig || (flags & 0x80u) != 0; }
};

} // namespace bpfaot::bpf
