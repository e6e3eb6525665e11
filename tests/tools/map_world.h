// SPDX-License-Identifier: MIT
//
// Maps for the interpreter: data sections, arrays and hashes of an object, with lookup, update and
// delete as the kernel has them. Each value is a region of its own, so that a step past its end is
// seen. A deleted value stays readable, as in the kernel, but no lookup finds it.
#pragma once

#include "bpf/object.h"
#include "tests/tools/interpreter.h"

#include <map>

namespace bpfaot::tests {

class MapWorld : public World {
public:
  MapWorld(Memory& memory, const bpf::Object& object)
      : memory_(memory), object_(object), values_(object.maps.size()) {
    for (size_t m = 0; m < object.maps.size(); ++m) {
      const bpf::MapDef& map = object.maps[m];
      if (map.type == bpf::MapType::array)
        for (uint32_t i = 0; i < map.max_entries; ++i)
          insert(m, key_of(i), map.initial);
    }
  }

  uint64_t map_handle(bpf::MapId map) override { return kHandles + uint64_t{map.value} * 16; }
  uint64_t map_value(bpf::MapId map) override { return values_[map.value].begin()->second->base; }

  // 1 lookup, 2 update, 3 delete. Memory that is none gives -EFAULT.
  std::optional<uint64_t> call_helper(int32_t id, const std::array<uint64_t, 5>& r) override {
    const uint64_t map = (r[0] - kHandles) / 16;
    if (id < 1 || id > 3 || map >= values_.size())
      return std::nullopt;
    const bpf::MapDef& def = object_.maps[map];
    const auto key = bytes_at(r[1], def.key_size);
    if (!key)
      return error(14);
    const auto found = values_[map].find(*key);
    const bool exists = found != values_[map].end();
    const bool is_array = def.type == bpf::MapType::array;
    if (id == 1)
      return exists ? found->second->base : 0;
    if (id == 3) {
      if (is_array)
        return error(22);
      if (exists)
        values_[map].erase(found);
      return exists ? 0 : error(2);
    }
    const auto value = bytes_at(r[2], def.value_size);
    if (!value)
      return error(14);
    if (r[3] > 2)
      return error(22);
    if (r[3] == 1 && (exists || is_array))
      return is_array && !exists ? error(7) : error(17);
    if (exists)
      found->second->bytes = *value;
    else if (is_array || values_[map].size() >= def.max_entries)
      return error(r[3] == 2 && !is_array ? 2 : 7);
    else if (r[3] == 2)
      return error(2);
    else
      insert(map, *key, *value);
    return 0;
  }

private:
  static constexpr uint64_t kHandles = 0x4000'0000'0000;
  static uint64_t error(int64_t number) { return static_cast<uint64_t>(-number); }
  static std::vector<uint8_t> key_of(uint32_t index) {
    return {static_cast<uint8_t>(index), static_cast<uint8_t>(index >> 8),
            static_cast<uint8_t>(index >> 16), static_cast<uint8_t>(index >> 24)};
  }

  void insert(size_t map, const std::vector<uint8_t>& key, std::vector<uint8_t> value) {
    const bpf::MapDef& def = object_.maps[map];
    value.resize(def.value_size);
    values_[map][key] =
        &memory_.add("a value of map " + def.name, std::move(value), !def.read_only_for_programs());
  }

  std::optional<std::vector<uint8_t>> bytes_at(uint64_t address, uint32_t size) {
    const Region* region = memory_.find(address, size);
    if (region == nullptr)
      return std::nullopt;
    const auto begin = region->bytes.begin() + static_cast<ptrdiff_t>(address - region->base);
    return std::vector<uint8_t>(begin, begin + size);
  }

  Memory& memory_;
  const bpf::Object& object_;
  std::vector<std::map<std::vector<uint8_t>, Region*>> values_; // by MapId, then key
};

} // namespace bpfaot::tests
