// SPDX-License-Identifier: MIT
//
// Rendering of maps and variables.
#include "loader/map_output.h"

#include "loader/histogram.h"
#include "loader/map_snapshot.h"
#include "loader/stack_output.h"
#include "support/json.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint32_t kLongVariable = 512; // bytes; longer ones are printed with --all-maps only

using Bytes = std::span<const uint8_t>;

// Also for bytes of unknown type: a number when the size allows, else hex.
std::string text_of(const Image& image, uint32_t type, Bytes bytes) {
  std::string out;
  int64_t number;
  if (type != 0)
    append_text(out, image.type_tables(), type, bytes);
  else if (as_integer(image, 0, bytes, &number))
    out = std::to_string(static_cast<uint64_t>(number));
  else {
    append_hex(out, bytes);
    out = "0x" + out.substr(5);
  }
  return out;
}

// Struct keys without their braces: @pairs[a=7, b=2].
std::string key_text(const Image& image, uint32_t type, Bytes bytes) {
  std::string text = text_of(image, type, bytes);
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}')
    return text.substr(1, text.size() - 2);
  return text;
}

void json_of(JsonWriter& out, const Image& image, uint32_t type, Bytes bytes) {
  int64_t number;
  if (type != 0)
    append_json(out, image.type_tables(), type, bytes);
  else if (as_integer(image, 0, bytes, &number))
    out.value(static_cast<uint64_t>(number));
  else
    out.value(text_of(image, 0, bytes));
}

class MapPrinter {
public:
  MapPrinter(const Image& image, std::string_view name, uint32_t key_type, uint32_t value_type,
             const MapOutputOptions& options)
      : image_(image), name_(name), key_type_(key_type), value_type_(value_type),
        options_(options) {}

  // A key is absent for variables and for maps that are one histogram.
  void entry(const Bytes* key, Bytes value, int64_t cpu) {
    if (options_.json) {
      JsonWriter out;
      begin(out, "map", key, cpu);
      out.key("value");
      json_of(out, image_, value_type_, value);
      end(out);
      return;
    }
    head(key, cpu);
    out_ += text_of(image_, value_type_, value) + "\n";
  }

  // A value that stands for something of the image.
  void named(const Bytes& key, std::string_view value) {
    if (options_.json) {
      JsonWriter out;
      begin(out, "map", &key, -1);
      out.key("value").value(value);
      end(out);
      return;
    }
    head(&key, -1);
    out_ += std::string(value) + "\n";
  }

  void histogram(const Bytes* key, const std::vector<uint64_t>& slots, Bytes value,
                 const HistogramPlace& place, int64_t cpu = -1) {
    const std::vector<Bucket> buckets = log2_buckets(slots);
    if (options_.json) {
      JsonWriter out;
      begin(out, "hist", key, cpu);
      for (const bpfaot_member* member : others(place)) {
        out.key(image_.string(member->name));
        json_of(out, image_, member->type, part(value, *member));
      }
      out.key("buckets").begin_array();
      for (const Bucket& bucket : buckets) {
        out.begin_object();
        out.key("min").value(bucket.low).key("max").value(bucket.high);
        out.key("count").value(bucket.count).end_object();
      }
      out.end_array();
      end(out);
      return;
    }
    head(key, cpu);
    std::string rest;
    for (const bpfaot_member* member : others(place))
      rest += (rest.empty() ? "" : " ") + std::string(image_.string(member->name)) + "=" +
              text_of(image_, member->type, part(value, *member));
    if (rest.empty() && !out_.empty() && out_.back() == ' ')
      out_.pop_back();
    out_ += rest + "\n" + draw_histogram(buckets);
  }

  std::string take() { return std::move(out_); }

private:
  // Members beside the counts; bit fields are left to --all-maps and JSON of the plain value.
  std::vector<const bpfaot_member*> others(const HistogramPlace& place) const {
    std::vector<const bpfaot_member*> result;
    if (place.member == BPFAOT_NONE)
      return result;
    uint32_t position = 0;
    for (const bpfaot_member& member : image_.members(image_.types()[value_type_]))
      if (position++ != place.member && member.bit_size == 0 && !image_.string(member.name).empty())
        result.push_back(&member);
    return result;
  }

  Bytes part(Bytes value, const bpfaot_member& member) const {
    const uint64_t off = member.bit_off / 8, size = image_.types()[member.type].size;
    return off + size <= value.size() ? value.subspan(off, size) : Bytes();
  }

  void head(const Bytes* key, int64_t cpu) {
    out_ += "@" + name_;
    if (key || cpu >= 0) {
      out_ += "[" + (key ? key_text(image_, key_type_, *key) : "");
      if (cpu >= 0)
        out_ += (key ? ", cpu " : "cpu ") + std::to_string(cpu);
      out_ += "]";
    }
    out_ += ": ";
  }

  void begin(JsonWriter& out, const char* type, const Bytes* key, int64_t cpu) {
    out.begin_object();
    out.key("type").value(type).key("map").value(name_);
    if (key) {
      out.key("key");
      json_of(out, image_, key_type_, *key);
    }
    if (cpu >= 0)
      out.key("cpu").value(cpu);
  }

  void end(JsonWriter& out) {
    out.end_object();
    out_ += out.take() + "\n";
  }

  const Image& image_;
  std::string name_;
  uint32_t key_type_, value_type_;
  MapOutputOptions options_;
  std::string out_;
};

bool is_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

// Counts of all entries in one histogram, the index being the bucket.
std::string print_bucket_map(const Image& image, const bpfaot_map& map,
                             const std::vector<MapEntry>& entries, MapPrinter printer) {
  std::vector<uint64_t> slots;
  for (const MapEntry& entry : entries) {
    int64_t bucket = 0, count = 0;
    const auto sum = sum_values(image, map.value_type, entry);
    if (!sum || !as_integer(image, 0, entry.key, &bucket) ||
        !as_integer(image, map.value_type, *sum, &count) || bucket < 0 || bucket > 64)
      continue;
    slots.resize(std::max<size_t>(slots.size(), static_cast<size_t>(bucket) + 1));
    slots[static_cast<size_t>(bucket)] = static_cast<uint64_t>(count);
  }
  printer.histogram(nullptr, slots, {}, {});
  return printer.take();
}

void print_entry(const Image& image, const bpfaot_map& map, const MapEntry& entry,
                 const std::optional<HistogramPlace>& place, bool per_cpu, MapPrinter* printer) {
  const Bytes key(entry.key);
  if (place && !per_cpu) {
    std::vector<uint64_t> slots;
    const std::vector<uint8_t>* shown = &entry.values[0];
    for (const std::vector<uint8_t>& value : entry.values) {
      add_slots(*place, value, &slots);
      if (is_zero(*shown))
        shown = &value;
    }
    printer->histogram(&key, slots, *shown, *place);
    return;
  }
  const auto sum = sum_values(image, map.value_type, entry);
  if (sum && !per_cpu) {
    printer->entry(&key, *sum, -1);
    return;
  }
  const bool is_single = entry.values.size() == 1;
  for (size_t cpu = 0; cpu < entry.values.size(); ++cpu) {
    if (!is_single && is_zero(entry.values[cpu]))
      continue;
    const auto label = is_single ? -1 : static_cast<int64_t>(cpu);
    if (place) {
      std::vector<uint64_t> slots;
      add_slots(*place, entry.values[cpu], &slots);
      printer->histogram(&key, slots, entry.values[cpu], *place, label);
    } else {
      printer->entry(&key, entry.values[cpu], label);
    }
  }
}

// The name of what a slot stands for; others may have written anything into it.
std::string slot_text(const Image& image, uint32_t type, Bytes value) {
  uint32_t slot = 0;
  std::memcpy(&slot, value.data(), std::min(value.size(), sizeof slot));
  if (is_of_maps(type))
    return slot == 0 || slot > image.maps().size() ? "no map (" + std::to_string(slot) + ")"
                                                   : std::string(image.string(image.maps()[slot - 1].name));
  if (slot == 0 || slot > image.programs().size())
    return "no program (" + std::to_string(slot) + ")";
  return std::string(image.string(image.programs()[slot - 1].name));
}

// Histograms in .bss: one, or an array of structs that have one.
bool print_histogram_variable(const Image& image, const bpfaot_variable& variable, Bytes bytes,
                              const MapOutputOptions& options, std::string* out) {
  const std::string_view name = image.string(variable.name);
  const bpfaot_type& type = image.types()[variable.type];
  if (const auto place = find_histogram(image, variable.type, name)) {
    MapPrinter printer(image, name, 0, variable.type, options);
    std::vector<uint64_t> slots;
    add_slots(*place, bytes, &slots);
    printer.histogram(nullptr, slots, bytes, *place);
    *out += printer.take();
    return true;
  }
  if (type.kind != BPFAOT_TYPE_ARRAY)
    return false;
  const auto place = find_histogram(image, type.target, name);
  const uint32_t stride = image.types()[type.target].size;
  if (!place || stride == 0)
    return false;
  MapPrinter printer(image, name, 0, type.target, options);
  for (uint32_t i = 0; i < type.count && (uint64_t{i} + 1) * stride <= bytes.size(); ++i) {
    const Bytes element = bytes.subspan(uint64_t{i} * stride, stride);
    if (is_zero(element))
      continue;
    std::vector<uint64_t> slots;
    add_slots(*place, element, &slots);
    uint8_t index[4];
    std::memcpy(index, &i, sizeof index);
    const Bytes key(index);
    printer.histogram(&key, slots, element, *place);
  }
  *out += printer.take();
  return true;
}

} // namespace

std::string print_map(const Image& image, const Session& session, uint32_t index,
                      const MapOutputOptions& options) {
  const bpfaot_map& map = image.maps()[index];
  const bpfaot_map_header& header = session.header(index);
  if (!holds_values(header.type))
    return {};
  if (header.type == kMapStackTrace)
    return print_stacks(image, session, index, options);
  const std::vector<MapEntry> entries = snapshot(image, session, index);
  if (entries.empty())
    return {};
  MapPrinter printer(image, image.string(map.name), map.key_type, map.value_type, options);
  if (is_slots(header.type)) {
    for (const MapEntry& entry : entries)
      printer.named(entry.key, slot_text(image, header.type, entry.values[0]));
    return printer.take();
  }
  const bool per_cpu = options.per_cpu && is_per_cpu(header.type);
  if (is_bucket_map(image, map, header) && !per_cpu)
    return print_bucket_map(image, map, entries, std::move(printer));
  const auto place = find_histogram(image, map.value_type, image.string(map.name));
  for (const MapEntry& entry : entries)
    print_entry(image, map, entry, place, per_cpu, &printer);
  return printer.take();
}

std::string print_variables(const Image& image, const Session& session,
                            const MapOutputOptions& options) {
  std::string out;
  for (const bpfaot_variable& variable : image.variables()) {
    const uint32_t section = image.maps()[variable.map].section;
    if (section != BPFAOT_MAP_BSS && section != BPFAOT_MAP_DATA)
      continue;
    const auto live = session.variable_bytes(variable);
    const std::vector<uint8_t> now(live.begin(), live.end()); // programs may still change it
    const Bytes before = session.initial_bytes(variable.map);
    if (now.empty() || (uint64_t{variable.off} + now.size() <= before.size() &&
                        std::equal(now.begin(), now.end(), before.begin() + variable.off)))
      continue;
    if (print_histogram_variable(image, variable, now, options, &out))
      continue;
    if (now.size() > kLongVariable && !options.all_maps)
      continue;
    MapPrinter printer(image, image.string(variable.name), 0, variable.type, options);
    printer.entry(nullptr, now, -1);
    out += printer.take();
  }
  return out;
}

std::string print_maps(const Image& image, const Session& session, const MapOutputOptions& options) {
  std::string out;
  for (uint32_t i = 0; i < image.maps().size(); ++i) {
    if (image.maps()[i].section != BPFAOT_MAP_ORDINARY || (!options.all_maps && is_scratch(image, i)))
      continue;
    const std::string one = print_map(image, session, i, options);
    if (!options.json && !one.empty() && !out.empty())
      out += "\n";
    out += one;
  }
  const std::string variables = print_variables(image, session, options);
  if (!options.json && !variables.empty() && !out.empty())
    out += "\n";
  return out + variables;
}

} // namespace bpfaot::loader
