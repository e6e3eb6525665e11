// SPDX-License-Identifier: MIT
//
// Reading maps, and the rules that recognise histograms and scratch maps.
#include "loader/map_snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kMinBuckets = 8, kMaxBuckets = 65;

bool is_array(uint32_t type) { return type == kMapArray || type == kMapPercpuArray; }

bool is_zero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

bool is_plain_integer(const Image& image, uint32_t type) {
  return type != 0 && is_integer(image.type_tables(), type);
}

// Elements of a plain array that are in touched pages and not all zero. Large arrays are sparse, and
// looking at an untouched page would give it memory.
std::vector<MapEntry> array_entries(const Session& session, const bpfaot_map_view& view) {
  std::vector<MapEntry> entries;
  const bpfaot_map_header& header = *view.header;
  const uint64_t stride = std::max<uint64_t>(header.elem_size, 1);
  const uint64_t block = std::max<uint64_t>(kPage / stride, 1);
  for (uint64_t first = 0; first < header.max_entries; first += block) {
    const auto index = static_cast<uint32_t>(first);
    const void* start = bpfaot_map_lookup(&view, &index, 0);
    const uint64_t count = std::min<uint64_t>(block, header.max_entries - first);
    if (!start || session.is_hole(start, count * stride))
      continue;
    for (uint64_t i = first; i < first + count; ++i) {
      const auto key = static_cast<uint32_t>(i);
      const auto* value = static_cast<const uint8_t*>(bpfaot_map_lookup(&view, &key, 0));
      if (!value || is_zero({value, header.value_size}))
        continue;
      const auto* bytes = reinterpret_cast<const uint8_t*>(&key);
      entries.push_back({{bytes, bytes + sizeof key}, {{value, value + header.value_size}}});
    }
  }
  return entries;
}

MapEntry read_entry(const bpfaot_map_view& view, std::vector<uint8_t> key, uint32_t slots) {
  MapEntry entry{std::move(key), {}};
  for (uint32_t cpu = 0; cpu < slots; ++cpu) {
    const auto* value = static_cast<const uint8_t*>(bpfaot_map_lookup(&view, entry.key.data(), cpu));
    if (value)
      entry.values.emplace_back(value, value + view.header->value_size);
  }
  return entry;
}

// The map may change meanwhile: what is shown then is values that were in it, not one moment's.
std::vector<MapEntry> queue_entries(const bpfaot_map_view& view) {
  std::vector<MapEntry> entries;
  std::vector<uint8_t> value(view.header->value_size);
  for (uint32_t i = 0; i < view.header->max_entries; ++i) {
    if (bpfaot_map_peek(&view, value.data(), i) != 0)
      break;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&i);
    entries.push_back({{bytes, bytes + sizeof i}, {value}});
  }
  return entries;
}

// Little-endian integers compare as numbers, everything else as bytes.
bool key_less(const Image& image, uint32_t type, const MapEntry& a, const MapEntry& b) {
  int64_t x, y;
  if (as_integer(image, type, a.key, &x) && as_integer(image, type, b.key, &y) && x != y)
    return x < y;
  return a.key < b.key;
}

} // namespace

bool as_integer(const Image& image, uint32_t type, std::span<const uint8_t> bytes, int64_t* value) {
  if (type != 0)
    return read_integer(image.type_tables(), type, bytes, *value);
  if (bytes.size() != 1 && bytes.size() != 2 && bytes.size() != 4 && bytes.size() != 8)
    return false;
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), bytes.size());
  *value = static_cast<int64_t>(bits);
  return true;
}

std::optional<std::vector<uint8_t>> sum_values(const Image& image, uint32_t type,
                                               const MapEntry& entry) {
  uint64_t sum = 0;
  for (const std::vector<uint8_t>& value : entry.values) {
    int64_t one;
    if (!as_integer(image, type, value, &one))
      return std::nullopt;
    sum += static_cast<uint64_t>(one);
  }
  if (entry.values.empty())
    return std::nullopt;
  std::vector<uint8_t> bytes(std::max<size_t>(entry.values[0].size(), 8));
  std::memcpy(bytes.data(), &sum, sizeof sum);
  bytes.resize(type != 0 ? image.types()[type].size : entry.values[0].size());
  return bytes;
}

std::vector<MapEntry> snapshot(const Image& image, const Session& session, uint32_t index) {
  const bpfaot_map_view view = session.view(index);
  const bpfaot_map_header& header = *view.header;
  const bpfaot_map& map = image.maps()[index];
  const uint32_t slots = is_per_cpu(header.type) ? header.cpus : 1;
  if (header.type == kMapArray)
    return array_entries(session, view);
  if (is_queue(header.type))
    return queue_entries(view);
  std::vector<MapEntry> entries;
  std::vector<uint8_t> key(header.key_size), next(header.key_size);
  // Programs may change the map meanwhile: the walk is bounded, and a key seen twice counts once.
  const uint64_t limit = uint64_t{header.max_entries} * 2 + 16;
  bool is_first = true;
  for (uint64_t i = 0; i < limit; ++i) {
    if (bpfaot_map_next_key(&view, is_first ? nullptr : key.data(), next.data()) != 0)
      break;
    is_first = false;
    key = next;
    MapEntry entry = read_entry(view, key, slots);
    const bool is_empty = std::all_of(entry.values.begin(), entry.values.end(), is_zero);
    if (!entry.values.empty() && !(is_array(header.type) && is_empty))
      entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [&](const MapEntry& a, const MapEntry& b) {
    return key_less(image, map.key_type, a, b);
  });
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [](const MapEntry& a, const MapEntry& b) { return a.key == b.key; }),
                entries.end());
  if (is_array(header.type) || header.type == kMapStackTrace || is_slots(header.type))
    return entries;
  std::stable_sort(entries.begin(), entries.end(), [&](const MapEntry& a, const MapEntry& b) {
    int64_t x, y;
    const auto first = sum_values(image, map.value_type, a), second = sum_values(image, map.value_type, b);
    return first && second && as_integer(image, map.value_type, *first, &x) &&
           as_integer(image, map.value_type, *second, &y) && x < y;
  });
  return entries;
}

bool holds_values(uint32_t type) {
  return type == kMapHash || type == kMapLruHash || is_array(type) || is_per_cpu(type) ||
         is_queue(type) || type == kMapStackTrace || is_slots(type);
}

bool is_scratch(const Image& image, uint32_t index) {
  const bpfaot_map& map = image.maps()[index];
  const std::string_view name = image.string(map.name);
  if (name == "start" || name == "starts" || name.starts_with("__") || is_slots(map.type))
    return true;
  const auto has = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
  if (is_array(map.type) && map.max_entries <= 1 &&
      (has("heap") || has("tmp") || has("temp") || has("buf") || has("scratch")))
    return true;
  return false;
}

bool is_histogram_name(std::string_view name) {
  for (const std::string_view word : {"hist", "slots", "buckets"})
    if (name.find(word) != std::string_view::npos)
      return true;
  return false;
}

std::optional<HistogramPlace> find_histogram(const Image& image, uint32_t index,
                                             std::string_view name) {
  const bpfaot_type& type = image.types()[index];
  if (type.kind == BPFAOT_TYPE_ARRAY) {
    const bpfaot_type& element = image.types()[type.target];
    if (!is_plain_integer(image, type.target) || element.encoding & BPFAOT_INT_CHAR ||
        element.size < 4 || type.count < kMinBuckets || type.count > kMaxBuckets ||
        !is_histogram_name(name))
      return std::nullopt;
    return HistogramPlace{0, type.count, element.size};
  }
  if (type.kind != BPFAOT_TYPE_STRUCT)
    return std::nullopt;
  uint32_t position = 0;
  for (const bpfaot_member& member : image.members(type)) {
    auto place = member.bit_size == 0 && image.types()[member.type].kind == BPFAOT_TYPE_ARRAY
                     ? find_histogram(image, member.type, image.string(member.name))
                     : std::nullopt;
    if (place) {
      place->off = member.bit_off / 8;
      place->member = position;
      return place;
    }
    ++position;
  }
  return std::nullopt;
}

bool is_bucket_map(const Image& image, const bpfaot_map& map, const bpfaot_map_header& header) {
  const std::string_view name = image.string(map.name);
  return is_array(header.type) && header.max_entries >= kMinBuckets &&
         header.max_entries <= kMaxBuckets && is_plain_integer(image, map.value_type) &&
         (is_histogram_name(name) || name.find("sizes") != std::string_view::npos);
}

void add_slots(const HistogramPlace& place, std::span<const uint8_t> value,
               std::vector<uint64_t>* slots) {
  slots->resize(std::max<size_t>(slots->size(), place.count));
  for (uint32_t i = 0; i < place.count; ++i) {
    const uint64_t at = place.off + uint64_t{i} * place.width;
    uint64_t count = 0;
    if (at + place.width <= value.size())
      std::memcpy(&count, value.data() + at, std::min<uint32_t>(place.width, 8));
    (*slots)[i] += count;
  }
}

} // namespace bpfaot::loader
