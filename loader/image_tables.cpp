// SPDX-License-Identifier: MIT
//
// Checks of what the descriptor's tables say: strings end and are printable, indices are in range,
// types contain each other acyclically and fit, maps and variables agree with their types.
#include "loader/image.h"

#include "loader/map_spec.h"

#include <algorithm>

namespace bpfaot::loader {
namespace {

// Names go to terminals: control characters would let a file move the cursor.
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
}

bool is_record(const bpfaot_type& type) {
  return type.kind == BPFAOT_TYPE_STRUCT || type.kind == BPFAOT_TYPE_UNION;
}

} // namespace

Status Image::check_strings() const {
  const auto blob = desc_bytes_.subspan(desc_.strings.off, desc_.strings.size);
  if (blob.empty() || blob.front() != 0 || blob.back() != 0)
    return damaged("the strings do not begin and end with a zero byte");
  std::vector<uint32_t> used = {desc_.license, desc_.tool, desc_.llvm,
                                desc_.triple,  desc_.cpu,  desc_.source_name};
  for (const auto& program : programs_)
    used.insert(used.end(),
                {program.name, program.section, program.attach_path, program.attach_symbol});
  for (const auto& map : maps_)
    used.push_back(map.name);
  for (const auto& variable : variables_)
    used.push_back(variable.name);
  for (const auto& type : types_)
    used.push_back(type.name);
  for (const auto& member : members_)
    used.push_back(member.name);
  for (const auto& enumerator : enumerators_)
    used.push_back(enumerator.name);
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (const uint32_t offset : used) {
    if (offset >= desc_.strings.size)
      return damaged("a string at offset " + std::to_string(offset) + " of " +
                     std::to_string(desc_.strings.size));
    if (!is_printable(string(offset)))
      return damaged("a name with control characters at string offset " + std::to_string(offset));
  }
  return {};
}

namespace {

// The shape of one type by itself. Containment (cycles, sizes) comes after all shapes are right.
const char* shape_fault(const Image& image, const bpfaot_type& type, size_t members,
                        size_t enumerators) {
  switch (type.kind) {
  case BPFAOT_TYPE_VOID: return type.size != 0 ? "void has a size" : nullptr;
  case BPFAOT_TYPE_INT:
  case BPFAOT_TYPE_FLOAT:
  case BPFAOT_TYPE_POINTER:
    if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8 && type.size != 16)
      return "a scalar is not of 1, 2, 4, 8 or 16 bytes";
    return type.target >= image.types().size() ? "a target is out of range" : nullptr;
  case BPFAOT_TYPE_ARRAY:
    return type.target >= image.types().size() ? "an element type is out of range" : nullptr;
  case BPFAOT_TYPE_STRUCT:
  case BPFAOT_TYPE_UNION:
    return uint64_t{type.first} + type.count > members ? "members are out of range" : nullptr;
  case BPFAOT_TYPE_ENUM:
    if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8)
      return "an enum is not of 1, 2, 4 or 8 bytes";
    return uint64_t{type.first} + type.count > enumerators ? "enumerators are out of range"
                                                           : nullptr;
  }
  return "an unknown kind";
}

// Containment by value, depth first. A type that was found sound at a shallow place may be reached
// again deeper, so kMaxTypeDepth bounds each path from a first visit, not the sum of two.
class Containment {
public:
  explicit Containment(const Image& image)
      : image_(image), state_(image.types().size(), kNew), values_(image.types().size(), 1) {}

  const char* fault(uint32_t root) { return visit(root, 0); }

private:
  static constexpr uint8_t kNew = 0, kOpen = 1, kDone = 2;
  static constexpr uint64_t kFreeValues = 4096;

  // Recursion is bounded by kMaxTypeDepth.
  const char* visit(uint32_t index, uint32_t depth) {
    if (depth > kMaxTypeDepth)
      return "types are nested too deeply";
    if (state_[index] == kOpen)
      return "a type contains itself";
    if (state_[index] == kDone)
      return nullptr;
    state_[index] = kOpen;
    const bpfaot_type& type = image_.types()[index];
    const char* fault = nullptr;
    if (type.kind == BPFAOT_TYPE_ARRAY) {
      fault = visit(type.target, depth + 1);
      if (!fault && uint64_t{type.count} * image_.types()[type.target].size != type.size)
        fault = "an array's size is not that of its elements";
      values_[index] = saturate(uint64_t{type.count} * values_[type.target]);
    } else if (is_record(type)) {
      for (const bpfaot_member& member : image_.members(type)) {
        if (fault)
          break;
        fault = member_fault(type, member, depth);
        if (!fault)
          values_[index] = saturate(values_[index] + values_[member.type]);
      }
    }
    state_[index] = kDone;
    if (!fault && values_[index] > kFreeValues + uint64_t{type.size} * 64)
      return "a type has far more members than bytes";
    return fault;
  }

  const char* member_fault(const bpfaot_type& type, const bpfaot_member& member, uint32_t depth) {
    if (member.type >= image_.types().size())
      return "a member's type is out of range";
    if (const char* fault = visit(member.type, depth + 1))
      return fault;
    const uint64_t bits =
        member.bit_size != 0 ? member.bit_size : uint64_t{image_.types()[member.type].size} * 8;
    if (member.bit_size > 64 || (member.bit_size == 0 && member.bit_off % 8 != 0))
      return "a member is not on a byte border";
    return member.bit_off + bits > uint64_t{type.size} * 8 ? "a member lies outside its struct"
                                                           : nullptr;
  }

  static uint64_t saturate(uint64_t count) { return std::min<uint64_t>(count, UINT32_MAX); }

  const Image& image_;
  std::vector<uint8_t> state_;
  // Values that printing one type visits. Unions of unions and arrays of empty structs would let a
  // small file ask for endless output.
  std::vector<uint64_t> values_;
};

} // namespace

Status Image::check_types() const {
  for (uint32_t i = 0; i < types_.size(); ++i)
    if (const char* fault = shape_fault(*this, types_[i], members_.size(), enumerators_.size()))
      return damaged("type " + std::to_string(i) + ": " + fault);
  if (!types_.empty() && types_[0].kind != BPFAOT_TYPE_VOID)
    return damaged("type 0 is not void");
  Containment containment(*this);
  for (uint32_t i = 0; i < types_.size(); ++i)
    if (const char* fault = containment.fault(i))
      return damaged("type " + std::to_string(i) + ": " + fault);
  return {};
}

namespace {

// A section of variables is an array with one element, read and written as that; the ring of
// printed lines is a ring. The session's code relies on it.
bool fits_its_section(const bpfaot_map& map) {
  switch (map.section) {
  case BPFAOT_MAP_ORDINARY: return true;
  case BPFAOT_MAP_PRINTK: return map.type == kMapRingbuf;
  default:
    return map.type == kMapArray && map.key_size == sizeof(uint32_t) && map.max_entries == 1;
  }
}

} // namespace

Status Image::check_maps() const {
  const auto is_type = [&](uint32_t index) { return index == 0 || index < types_.size(); };
  for (uint32_t i = 0; i < maps_.size(); ++i) {
    const bpfaot_map& map = maps_[i];
    if (map.section > BPFAOT_MAP_PRINTK || !is_type(map.key_type) || !is_type(map.value_type) ||
        (map.inner != BPFAOT_NONE && map.inner >= maps_.size()))
      return damaged("map " + std::to_string(i) + " refers to what does not exist");
    if (uint64_t{map.initial.off} + map.initial.size > desc_.initial.size ||
        map.initial.size > map.value_size)
      return damaged("map " + std::to_string(i) + " has initial data that does not fit");
    if (!fits_its_section(map))
      return damaged("map " + std::to_string(i) + " is not of the shape that its section has");
  }
  for (const bpfaot_variable& variable : variables_) {
    if (variable.map >= maps_.size() || !is_type(variable.type) ||
        uint64_t{variable.off} + variable.size > maps_[variable.map].value_size ||
        (variable.type != 0 && types_[variable.type].size > variable.size))
      return damaged("variable '" + std::string(string(variable.name)) + "' lies outside its map");
  }
  for (const bpfaot_event& event : events_)
    if (event.map >= maps_.size() || !is_type(event.type) ||
        (event.program != BPFAOT_NONE && event.program >= programs_.size()))
      return damaged("an event type refers to what does not exist");
  for (const bpfaot_map_value& value : map_values_)
    if (value.map >= maps_.size() ||
        (value.target_map != BPFAOT_NONE && value.target_map >= maps_.size()) ||
        (value.target_program != BPFAOT_NONE && value.target_program >= programs_.size()))
      return damaged("a map's initial value refers to what does not exist");
    else if (value.target_program != BPFAOT_NONE && maps_[value.map].type != kMapProgArray)
      return damaged("an initial value is a program in a map that holds none");
    else if (value.target_map != BPFAOT_NONE && !is_of_maps(maps_[value.map].type))
      return damaged("an initial value is a map in a map that holds none");
  return {};
}

} // namespace bpfaot::loader
