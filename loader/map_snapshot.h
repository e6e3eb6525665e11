// SPDX-License-Identifier: MIT
//
// The content of a map at one moment, and what kind of thing it is: plain values, histograms, or
// scratch memory of the probe. docs/output.md states the rules in words.
#pragma once

#include "loader/image.h"
#include "loader/session.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct MapEntry {
  std::vector<uint8_t> key;
  std::vector<std::vector<uint8_t>> values; // one, or one per CPU slot
};

// Entries in the order people expect: arrays by index without elements that are all zero, queues and
// stacks in the order in which values would be popped (the key is their number), other maps by value
// when it is an integer, else by key.
std::vector<MapEntry> snapshot(const Image& image, const Session& session, uint32_t map);

// Maps whose values nobody wants to see: the other end of a start/return pair, scratch buffers,
// and types that hold no values.
bool holds_values(uint32_t type);
bool is_scratch(const Image& image, uint32_t map);

// Where the counts of a log2 histogram lie inside a value: an array of integers.
struct HistogramPlace {
  uint32_t off = 0, count = 0, width = 0; // bytes, elements, bytes of an element
  uint32_t member = BPFAOT_NONE;          // index of the member in its struct
};
// A value that is or has a histogram: a struct with an integer array named slots, hist or buckets,
// or such an array by itself when `name` says so.
std::optional<HistogramPlace> find_histogram(const Image& image, uint32_t type, std::string_view name);
// An array of integers whose indices are the buckets, by its name.
bool is_bucket_map(const Image& image, const bpfaot_map& map, const bpfaot_map_header& header);
bool is_histogram_name(std::string_view name);
// Adds the counts of one value to `slots`.
void add_slots(const HistogramPlace& place, std::span<const uint8_t> value,
               std::vector<uint64_t>* slots);

// Integer of 1, 2, 4 or 8 bytes by type, or by size when the type is unknown (unsigned).
bool as_integer(const Image& image, uint32_t type, std::span<const uint8_t> bytes, int64_t* value);
// The sum over CPU slots; nothing when the values are no integers. The bytes are of the type's size.
std::optional<std::vector<uint8_t>> sum_values(const Image& image, uint32_t type, const MapEntry& entry);

} // namespace bpfaot::loader
