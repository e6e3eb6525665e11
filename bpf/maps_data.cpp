// SPDX-License-Identifier: MIT
//
// Data sections as maps, as libbpf makes them: an array of one element that holds the section.
// Offsets of variables come from the symbol table, since compilers leave them zero in BTF.
#include "bpf/maps_btf.h"

#include <algorithm>

namespace bpfaot::bpf {
namespace {

constexpr uint32_t kReadOnlyProgram = 0x80, kMmapable = 0x400; // BPF_F_RDONLY_PROG, BPF_F_MMAPABLE
constexpr uint64_t kLargestSection = 256u << 20;

bool is_family(std::string_view name, std::string_view family) {
  return name == family || (name.starts_with(family) && name[family.size()] == '.');
}

std::optional<MapSection> section_kind(const ElfSection& section) {
  if ((section.flags & 2) == 0) // SHF_ALLOC
    return std::nullopt;
  if (is_family(section.name, ".rodata"))
    return MapSection::rodata;
  if (is_family(section.name, ".data"))
    return MapSection::data;
  if (is_family(section.name, ".bss"))
    return MapSection::bss;
  return std::nullopt;
}

MapDef make_data_map(std::string_view name, MapSection kind, uint32_t size) {
  MapDef map;
  map.name = name;
  map.type = MapType::array;
  map.key_size = 4;
  map.value_size = size;
  map.max_entries = 1;
  map.section = kind;
  map.flags = kMmapable |
              (kind == MapSection::rodata || kind == MapSection::kconfig ? kReadOnlyProgram : 0);
  return map;
}

// Variables by symbol; their types from the DATASEC of the same name.
void add_variables(Object& object, uint32_t section, MapId map) {
  std::map<std::string_view, const BtfType*> types;
  if (const auto id = object.btf.find(BtfKind::data_section, object.elf.sections[section].name))
    for (const BtfSectionVariable& entry : object.btf.section_variables(object.btf.type(*id)))
      types.emplace(object.btf.type(entry.type).name, &object.btf.type(entry.type));
  for (const ElfSymbol& symbol : object.elf.symbols) {
    if (symbol.section != section || symbol.kind != SymbolKind::object || symbol.name.empty())
      continue;
    const uint64_t room = object.map(map).value_size - symbol.value;
    const auto found = types.find(symbol.name);
    const uint32_t type = found != types.end() && found->second->kind == BtfKind::variable
                              ? found->second->target
                              : 0;
    const uint64_t size = symbol.size != 0 ? symbol.size : object.btf.size_of(type).value_or(0);
    if (size > room)
      continue;
    // A type that is larger than its variable would make readers look beyond it.
    const bool fits = object.btf.size_of(type).value_or(0) <= size;
    object.variables.push_back({.name = std::string(symbol.name),
                                .map = map,
                                .offset = static_cast<uint32_t>(symbol.value),
                                .size = static_cast<uint32_t>(size),
                                .type = fits ? type : 0,
                                .is_static = symbol.is_local,
                                .is_weak = symbol.is_weak});
  }
}

struct KnownConfig {
  std::string_view name;
  uint64_t value;
};

// What a program may ask about "the kernel" when it runs in a process: attach cookies work, and the
// version is that of the oldest kernel whose features the runtime has. There is no kernel
// configuration: a strong CONFIG_… cannot be resolved, a weak one is 0.
constexpr KnownConfig kKnownConfig[] = {
    {"LINUX_KERNEL_VERSION", 6 << 16 | 1 << 8},
    {"LINUX_HAS_BPF_COOKIE", 1},
    {"LINUX_HAS_SYSCALL_WRAPPER", 0}, // the context has the arguments themselves
};

void place_config(Object& object, const BtfType& variable, MapId id) {
  MapDef& map = object.maps[id.value];
  const uint32_t size = object.btf.size_of(variable.target).value_or(0);
  if (size == 0 || size > 4096 || map.value_size > kLargestSection)
    return;
  const uint32_t align = object.btf.align_of(variable.target);
  const uint32_t offset = (map.value_size + align - 1) / align * align;
  map.value_size = offset + size;
  map.initial.resize(map.value_size);
  const std::string_view name = variable.name;
  Variable result{.name = std::string(name),
                  .map = id,
                  .offset = offset,
                  .size = size,
                  .type = variable.target};
  for (const ElfSymbol& symbol : object.elf.symbols)
    if (symbol.section == ElfSymbol::kUndefined && symbol.name == name)
      result.is_weak = symbol.is_weak;
  const auto* known = std::find_if(std::begin(kKnownConfig), std::end(kKnownConfig),
                                   [&](const KnownConfig& row) { return row.name == name; });
  result.is_resolved = known != std::end(kKnownConfig) || result.is_weak;
  if (known != std::end(kKnownConfig))
    for (uint32_t i = 0; i < size && i < 8; ++i)
      map.initial[offset + i] = static_cast<uint8_t>(known->value >> 8 * i);
  object.variables.push_back(std::move(result));
}

void read_config(Object& object) {
  const auto id = object.btf.find(BtfKind::data_section, ".kconfig");
  if (!id)
    return;
  const MapId map(object.maps.size());
  object.maps.push_back(make_data_map(".kconfig", MapSection::kconfig, 0));
  std::vector<uint32_t> externs;
  for (const BtfSectionVariable& entry : object.btf.section_variables(object.btf.type(*id)))
    if (object.btf.type(entry.type).kind == BtfKind::variable)
      externs.push_back(entry.type);
  // Largest alignment first, as libbpf lays them out: no holes.
  std::stable_sort(externs.begin(), externs.end(), [&](uint32_t a, uint32_t b) {
    return object.btf.align_of(a) > object.btf.align_of(b);
  });
  for (const uint32_t type : externs)
    place_config(object, object.btf.type(type), map);
  if (object.maps.back().value_size == 0)
    object.maps.pop_back();
  else
    object.kconfig_map = map;
}

} // namespace

Status read_data_maps(Object& object) {
  for (uint32_t i = 1; i < object.elf.sections.size(); ++i) {
    const ElfSection& section = object.elf.sections[i];
    const auto kind = section_kind(section);
    if (!kind || section.size == 0)
      continue;
    if (section.size > kLargestSection)
      return fail(Code::kElfMalformed, "section '" + std::string(section.name) + "' has " +
                                           std::to_string(section.size) +
                                           " bytes, at most 256 MiB are possible");
    const MapId map(object.maps.size());
    object.maps.push_back(make_data_map(section.name, *kind, static_cast<uint32_t>(section.size)));
    object.maps.back().initial.assign(section.data.begin(), section.data.end());
    object.data_map.emplace(i, map);
    add_variables(object, i, map);
  }
  read_config(object);
  std::stable_sort(object.variables.begin(), object.variables.end(),
                   [](const Variable& a, const Variable& b) {
                     return a.map != b.map ? a.map < b.map : a.offset < b.offset;
                   });
  return {};
}

} // namespace bpfaot::bpf
