// SPDX-License-Identifier: MIT
//
// BTF-defined maps. A definition is a variable whose type spells out the attributes: a number N is
// "pointer to an array of N", a type is "pointer to that type", the values of a map of maps are a
// final flexible array of pointers to the inner definition (or to functions, for program arrays).
// The bytes of the variable are zero but for relocations, which give static initial values.
#include "bpf/maps_btf.h"

#include "bpf/bytes.h"
#include "bpf/maps.h"

#include <algorithm>

namespace bpfaot::bpf {
namespace {

// One attribute is wrong: fails the map, not the file.
Failure wrong(const std::string& map, std::string what) {
  return fail(Code::kMapDef, "map '" + map + "': " + std::move(what));
}

class Definition {
public:
  Definition(const Object& object, std::string name) : btf_(object.btf) {
    map_.name = std::move(name);
  }

  // `type` is the struct; the inner definition, when there is one, lands in `inner`.
  Result<MapDef> read(uint32_t type, std::optional<MapDef>& inner,
                      std::optional<uint32_t>& values_off) {
    const BtfType& record = btf_.resolved(type);
    if (record.kind != BtfKind::structure)
      return wrong(map_.name, "the definition is " + btf_.name_of(type) + ", not a struct");
    for (const BtfMember& member : btf_.members(record)) {
      if (member.name == "values")
        TRY(read_values(member, inner, values_off));
      else
        TRY(read_attribute(member));
    }
    if (map_.type == MapType::unspec)
      return Failure(make_error(Code::kMapNoType, "map '" + map_.name + "' has no type")
                         .values(has_type_ ? "BPF_MAP_TYPE_UNSPEC" : "no __uint(type, …)",
                                 "__uint(type, BPF_MAP_TYPE_…)"));
    return std::move(map_);
  }

private:
  Status read_attribute(const BtfMember& member) {
    const std::string_view name = member.name;
    if (name == "key")
      return read_type(member, map_.key_size, map_.key_type, has_key_size_);
    if (name == "value")
      return read_type(member, map_.value_size, map_.value_type, has_value_size_);
    if (name == "map_extra") {
      map_.map_extra = TRY(number(member));
      return {};
    }
    uint32_t ignored_size = 0; // key and value were given as types before: the sizes must agree
    uint32_t* field = name == "max_entries"  ? &map_.max_entries
                      : name == "map_flags"  ? &map_.flags
                      : name == "pinning"    ? &map_.pinning
                      : name == "numa_node"  ? &map_.numa_node
                      : name == "key_size"   ? (has_key_size_ ? &ignored_size : &map_.key_size)
                      : name == "value_size" ? (has_value_size_ ? &ignored_size : &map_.value_size)
                                             : nullptr;
    const bool is_type = name == "type";
    if (field == nullptr && !is_type)
      return wrong(map_.name, "unknown attribute '" + std::string(name) + "'");
    const uint64_t value = TRY(number(member));
    if (value > UINT32_MAX)
      return wrong(map_.name, "attribute '" + std::string(name) + "' is " + std::to_string(value) +
                                  ", which is more than 32 bits");
    if (is_type) {
      map_.type = MapType{static_cast<uint32_t>(value)};
      has_type_ = true;
      return {};
    }
    *field = static_cast<uint32_t>(value);
    if (name == "key_size")
      return check_size("key", has_key_size_, map_.key_size, static_cast<uint32_t>(value));
    if (name == "value_size")
      return check_size("value", has_value_size_, map_.value_size, static_cast<uint32_t>(value));
    return {};
  }

  Status check_size(const char* what, bool& known, uint32_t has, uint32_t says) {
    if (known && has != says)
      return wrong(map_.name, std::string("two sizes for the ") + what + ", " +
                                  std::to_string(has) + " and " + std::to_string(says));
    known = true;
    return {};
  }

  // int (*name)[N], or an anonymous enum of one value for 64-bit numbers.
  Result<uint64_t> number(const BtfMember& member) {
    const uint32_t id = btf_.resolve(member.type);
    const BtfType& type = btf_.type(id);
    if (const auto values = btf_.enumerators(type); values.size() == 1)
      return static_cast<uint64_t>(values[0].value);
    const BtfType& target = btf_.resolved(type.target);
    if (type.kind != BtfKind::pointer || target.kind != BtfKind::array)
      return wrong(map_.name, "attribute '" + std::string(member.name) + "' is " +
                                  btf_.name_of(member.type) + ", needed __uint(" +
                                  std::string(member.name) + ", NUMBER)");
    return uint64_t{target.count};
  }

  Status read_type(const BtfMember& member, uint32_t& size, uint32_t& type_id, bool& known) {
    const BtfType& type = btf_.resolved(member.type);
    const std::string name(member.name);
    if (type.kind != BtfKind::pointer)
      return wrong(map_.name, "attribute '" + name + "' is " + btf_.name_of(member.type) +
                                  ", needed __type(" + name + ", TYPE)");
    const auto bytes = btf_.size_of(type.target);
    if (!bytes)
      return wrong(map_.name, name + " type " + btf_.name_of(type.target) + " has no size");
    TRY(check_size(member.name == "key" ? "key" : "value", known, size, *bytes));
    size = *bytes;
    type_id = type.target;
    return {};
  }

  // TYPE *values[]: initial values are pointers at member.bit_off / 8 + 8 * index.
  Status read_values(const BtfMember& member, std::optional<MapDef>& inner,
                     std::optional<uint32_t>& values_off) {
    const BtfType& array = btf_.resolved(member.type);
    const BtfType& pointer = btf_.resolved(array.target);
    if (array.kind != BtfKind::array || pointer.kind != BtfKind::pointer)
      return wrong(map_.name, "attribute 'values' is " + btf_.name_of(member.type) +
                                  ", needed __array(values, TYPE)");
    values_off = member.bit_off / 8;
    map_.value_size = map_.value_size != 0 ? map_.value_size : 4;
    const BtfType& element = btf_.resolved(pointer.target);
    if (element.kind != BtfKind::structure)
      return {};
    if (is_inner_) // also what ends the recursion on a definition that refers to itself
      return wrong(map_.name, "maps of maps of maps do not exist");
    std::optional<MapDef> nested;
    std::optional<uint32_t> ignored;
    Definition definition(btf_, map_.name + ".inner");
    definition.is_inner_ = true;
    inner = TRY(definition.read(btf_.resolve(pointer.target), nested, ignored));
    inner->is_inner_template = true;
    return {};
  }

  Definition(const Btf& btf, std::string name) : btf_(btf) { map_.name = std::move(name); }

  const Btf& btf_;
  MapDef map_;
  bool is_inner_ = false, has_type_ = false, has_key_size_ = false, has_value_size_ = false;
};

class Reader {
public:
  Reader(Object& object, uint32_t section) : object_(object), section_(section) {}

  Status read() {
    const auto id = object_.btf.find(BtfKind::data_section, ".maps");
    if (!id)
      return fail(Code::kMapDef, "section .maps has no type information: compile with -g");
    for (const BtfSectionVariable& entry : object_.btf.section_variables(object_.btf.type(*id)))
      TRY(read_variable(entry));
    read_initial_values();
    return {};
  }

private:
  Status read_variable(const BtfSectionVariable& entry) {
    const BtfType& variable = object_.btf.type(entry.type);
    const std::string name(variable.name);
    if (variable.kind != BtfKind::variable || name.empty())
      return fail(Code::kBtf, ".BTF: section .maps contains something other than a variable");
    const ElfSymbol* symbol = find_symbol(name);
    if (symbol == nullptr)
      return fail(Code::kMapDef, "map '" + name + "' has no symbol");
    const MapId map(object_.maps.size());
    if (!object_.map_at.emplace(std::pair(section_, symbol->value), map).second)
      return fail(Code::kMapDef, "map '" + name + "' lies where another map is");
    Definition definition(object_, name);
    std::optional<MapDef> inner;
    std::optional<uint32_t> values_off;
    auto result = definition.read(variable.target, inner, values_off);
    if (!result) {
      object_.map_faults.emplace(map, result.error());
      object_.maps.push_back({.name = name});
      return {};
    }
    object_.maps.push_back(std::move(*result));
    if (inner) {
      object_.maps.back().inner = MapId(object_.maps.size());
      object_.maps.push_back(std::move(*inner));
    }
    if (is_of_maps(object_.maps[map.value].type) && !object_.maps[map.value].inner)
      object_.map_faults.emplace(map, wrong(name, "no inner map is defined").diagnostic());
    if (values_off)
      values_.push_back({map, symbol->value + *values_off, symbol->value + symbol->size});
    return {};
  }

  const ElfSymbol* find_symbol(std::string_view name) const {
    for (const ElfSymbol& symbol : object_.elf.symbols)
      if (symbol.section == section_ && symbol.name == name && symbol.kind != SymbolKind::section)
        return &symbol;
    return nullptr;
  }

  void read_initial_values() {
    for (const Values& values : values_)
      for (const ElfRelocation& relocation : object_.elf.relocations_of(section_)) {
        if (relocation.offset < values.begin || relocation.offset >= values.end)
          continue;
        const uint64_t index = (relocation.offset - values.begin) / 8;
        const std::string target = initial_target(relocation);
        MapDef& map = object_.maps[values.map.value];
        if (!holds(map, target) && !target.empty())
          object_.map_faults.emplace(
              values.map, make_error(Code::kMapDef, "map '" + map.name + "', slot " +
                                                        std::to_string(index) + ": '" + target +
                                                        "' is nothing that this map can hold"));
        else if (map.type == MapType::hash_of_maps && map.key_size != sizeof(uint32_t))
          object_.map_faults.emplace(
              values.map, wrong(map.name, "initial values need keys of 4 bytes").diagnostic());
        else if ((relocation.offset - values.begin) % 8 != 0 || index >= UINT32_MAX || target.empty())
          object_.map_faults.emplace(
              values.map,
              make_error(Code::kMapDef,
                         "map '" + map.name + "': an initial value cannot be understood"));
        else
          map.values.push_back({static_cast<uint32_t>(index), target});
      }
  }

  // Program arrays hold programs, not their functions; the others hold maps.
  bool holds(const MapDef& map, std::string_view target) const {
    if (map.type == MapType::prog_array)
      return std::any_of(object_.programs.begin(), object_.programs.end(),
                         [&](const ProgramEntry& program) { return program.name == target; });
    const auto found = object_.find_map(target);
    return found && map.inner && !object_.map(*found).is_inner_template &&
           object_.map(*found).section == MapSection::ordinary &&
           object_.map(*found).has_shape_of(object_.map(*map.inner));
  }

  // A map or function by its symbol, or by section and addend when it is static.
  std::string initial_target(const ElfRelocation& relocation) const {
    const ElfSymbol& symbol = object_.elf.symbols[relocation.symbol];
    const auto addend = load<uint64_t>(object_.elf.sections[section_].data, relocation.offset);
    if (symbol.kind != SymbolKind::section)
      return std::string(symbol.name);
    if (!addend || *addend > UINT32_MAX)
      return {};
    if (const auto map = object_.map_at.find({symbol.section, *addend});
        map != object_.map_at.end())
      return object_.map(map->second).name;
    const CodeRange* code = object_.code_at(symbol.section, static_cast<uint32_t>(*addend / 8));
    return code != nullptr ? code->name : std::string();
  }

  struct Values {
    MapId map;
    uint64_t begin, end; // bytes of the section
  };
  Object& object_;
  uint32_t section_;
  std::vector<Values> values_;
};

} // namespace

Status read_map_definitions(Object& object) {
  const auto section = object.elf.find_section(".maps");
  if (!section || object.elf.sections[*section].size == 0)
    return {};
  return Reader(object, *section).read();
}

} // namespace bpfaot::bpf
