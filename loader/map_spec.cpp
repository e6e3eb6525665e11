// SPDX-License-Identifier: MIT
//
// Map specs, their overrides and their defaults.
#include "loader/map_spec.h"

#include <cctype>
#include <charconv>
#include <cstdlib>

namespace bpfaot::loader {
namespace {

constexpr std::string_view kTypeNames[] = {
    "unspec",           "hash",          "array",          "prog_array",
    "perf_event_array", "percpu_hash",   "percpu_array",   "stack_trace",
    "cgroup_array",     "lru_hash",      "lru_percpu_hash", "lpm_trie",
    "array_of_maps",    "hash_of_maps",  "devmap",         "sockmap",
    "cpumap",           "xskmap",        "sockhash",       "cgroup_storage",
    "reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack",
    "sk_storage",       "devmap_hash",   "struct_ops",     "ringbuf",
    "inode_storage",    "task_storage",  "bloom_filter",   "user_ringbuf",
    "cgrp_storage",     "arena"};

std::optional<uint32_t> parse_count(std::string_view text) {
  uint32_t unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
    case 'k': case 'K': unit = 1u << 10; break;
    case 'm': case 'M': unit = 1u << 20; break;
    default: break;
    }
  }
  if (unit != 1)
    text.remove_suffix(1);
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16)
    text.remove_prefix(2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value > UINT32_MAX / unit)
    return std::nullopt;
  return static_cast<uint32_t>(value * unit);
}

Failure bad_override(std::string_view text, std::string why) {
  return Failure(make_error(Code::kUsage, "--map " + std::string(text) + ": " + std::move(why))
                     .hint("the form is --map NAME:max_entries=N[,value_size=N]"));
}

Failure fixed(const Image& image, const bpfaot_map& map, const char* attribute, uint32_t compiled,
              uint32_t wanted, const char* needed) {
  return Failure(make_error(Code::kMapFixed, "the code of the probe was compiled for " +
                                                 std::string(attribute) + " " +
                                                 std::to_string(compiled) + " of map '" +
                                                 std::string(image.string(map.name)) + "'")
                     .about(image.path())
                     .values(std::to_string(wanted), needed + std::to_string(compiled)));
}

Status apply(const Image& image, const MapOverride& wanted, bpfaot_map* map) {
  const bool is_data = map->section != BPFAOT_MAP_ORDINARY && map->section != BPFAOT_MAP_PRINTK;
  const struct {
    const char* name;
    const std::optional<uint32_t>& value;
    uint32_t bpfaot_map::*field;
    uint32_t flag;
  } attributes[] = {
      {"max_entries", wanted.max_entries, &bpfaot_map::max_entries, BPFAOT_FIXED_MAX_ENTRIES},
      {"value_size", wanted.value_size, &bpfaot_map::value_size, BPFAOT_FIXED_VALUE_SIZE},
      {"key_size", wanted.key_size, &bpfaot_map::key_size, BPFAOT_FIXED_KEY_SIZE},
      {"map_flags", wanted.map_flags, &bpfaot_map::map_flags, BPFAOT_FIXED_FLAGS}};
  for (const auto& attribute : attributes) {
    if (!attribute.value || *attribute.value == map->*attribute.field)
      continue;
    if (is_data || (map->fixed & attribute.flag))
      return fixed(image, *map, attribute.name, map->*attribute.field, *attribute.value, "");
    if (attribute.field == &bpfaot_map::max_entries && (map->fixed & BPFAOT_FIXED_MIN_ENTRIES) &&
        *attribute.value < map->max_entries)
      return fixed(image, *map, attribute.name, map->max_entries, *attribute.value, "at least ");
    map->*attribute.field = *attribute.value;
  }
  return {};
}

void fill_defaults(bpfaot_map* map) {
  switch (map->type) {
  case kMapRingbuf:
  case kMapUserRingbuf:
    if (map->max_entries == 0)
      map->max_entries = kDefaultRingSize;
    break;
  case kMapPerfEventArray: // max_entries 0: one per CPU slot, the layout code's choice
    map->key_size = map->key_size ? map->key_size : 4;
    map->value_size = map->value_size ? map->value_size : 4;
    break;
  case kMapArrayOfMaps:
  case kMapHashOfMaps:
  case kMapProgArray:
    map->key_size = map->key_size ? map->key_size : 4;
    map->value_size = map->value_size ? map->value_size : 4;
    break;
  case kMapCgroupArray:
    map->key_size = map->key_size ? map->key_size : 4;
    map->value_size = map->value_size ? map->value_size : 4;
    map->max_entries = map->max_entries ? map->max_entries : 1;
    break;
  default: break;
  }
}

} // namespace

Result<MapOverride> parse_map_override(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size())
    return bad_override(text, "no map name or no attribute");
  MapOverride result;
  result.map = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    const auto value = equals == std::string_view::npos ? std::nullopt
                                                        : parse_count(item.substr(equals + 1));
    if (!value)
      return bad_override(text, "'" + std::string(item) + "' is not ATTRIBUTE=NUMBER");
    if (key == "max_entries")
      result.max_entries = value;
    else if (key == "value_size")
      result.value_size = value;
    else if (key == "key_size")
      result.key_size = value;
    else if (key == "map_flags" || key == "flags")
      result.map_flags = value;
    else
      return bad_override(text, "unknown attribute '" + std::string(key) + "'");
  }
  return result;
}

Result<bpfaot_map> resolve_map(const Image& image, uint32_t index,
                               std::span<const MapOverride> overrides) {
  bpfaot_map map = image.maps()[index];
  for (const MapOverride& wanted : overrides)
    if (wanted.map == image.string(map.name))
      TRY(apply(image, wanted, &map));
  fill_defaults(&map);
  return map;
}

std::string map_type_name(uint32_t type) {
  return type < std::size(kTypeNames) ? std::string(kTypeNames[type])
                                      : "type " + std::to_string(type);
}

std::string_view map_section_name(uint32_t section) {
  switch (section) {
  case BPFAOT_MAP_ORDINARY: return "map";
  case BPFAOT_MAP_RODATA: return "rodata";
  case BPFAOT_MAP_DATA: return "data";
  case BPFAOT_MAP_BSS: return "bss";
  case BPFAOT_MAP_KCONFIG: return "kconfig";
  case BPFAOT_MAP_PRINTK: return "printk";
  }
  return "unknown";
}

bool is_per_cpu(uint32_t type) {
  return type == kMapPercpuHash || type == kMapPercpuArray || type == kMapLruPercpuHash;
}

bool is_of_maps(uint32_t type) { return type == kMapArrayOfMaps || type == kMapHashOfMaps; }

bool is_slots(uint32_t type) { return type == kMapProgArray || is_of_maps(type); }

bool is_queue(uint32_t type) { return type == kMapQueue || type == kMapStack; }

bool is_stream(uint32_t type) { return type == kMapRingbuf || type == kMapPerfEventArray; }

} // namespace bpfaot::loader
