// SPDX-License-Identifier: MIT
//
// From the bytes of a file to an Object: a table of contents over the readers of each part.
#include "bpf/object.h"

#include "bpf/code_ranges.h"
#include "bpf/maps_btf.h"
#include "support/files.h"

#include <algorithm>
#include <cstring>

namespace bpfaot::bpf {
namespace {

Status read_types(Object& object) {
  const auto types = object.elf.find_section(".BTF");
  if (!types)
    return {};
  object.btf = TRY(Btf::read(object.elf.sections[*types].data));
  const auto records = object.elf.find_section(".BTF.ext");
  if (!records)
    return {};
  object.ext =
      TRY(read_btf_ext(object.elf.sections[*records].data, object.btf,
                       [&](std::string_view name) { return object.elf.find_section(name); }));
  return {};
}

void read_license(Object& object) {
  const auto section = object.elf.find_section("license");
  if (!section)
    return;
  const auto data = object.elf.sections[*section].data;
  const auto end = std::find(data.begin(), data.end(), uint8_t{0});
  object.license.assign(data.begin(), end);
}

// Global functions outside .text; a section without any has its first function as program, as
// libbpf loaded them before function symbols had types.
void find_programs(Object& object) {
  std::vector<bool> has_global(object.elf.sections.size());
  for (const CodeRange& range : object.code)
    has_global[range.section] = has_global[range.section] || range.is_global;
  for (uint32_t i = 0; i < object.code.size(); ++i) {
    const CodeRange& range = object.code[i];
    const std::string_view section = object.elf.sections[range.section].name;
    if (section == ".text" || (has_global[range.section] ? !range.is_global : range.begin != 0))
      continue;
    ProgramEntry entry{
        .name = range.name, .section = std::string(section), .kind = {}, .code = i, .fault = {}};
    auto kind = parse_section(section);
    if (kind)
      entry.kind = std::move(*kind);
    else
      entry.fault = kind.error();
    object.programs.push_back(std::move(entry));
  }
}

Result<Object> read_parts(std::vector<uint8_t> bytes, std::string path) {
  Object object;
  object.path = std::move(path);
  object.bytes = std::move(bytes);
  object.digest = sha256(object.bytes);
  object.elf = TRY(read_elf(object.bytes));
  TRY(read_types(object));
  TRY(find_code_ranges(object));
  find_programs(object);
  TRY(read_map_definitions(object));
  TRY(read_data_maps(object));
  read_license(object);
  return object;
}

} // namespace

std::optional<MapId> Object::find_map(std::string_view name) const {
  for (size_t i = 0; i < maps.size(); ++i)
    if (maps[i].name == name)
      return MapId(i);
  return std::nullopt;
}

// Definitions of inner maps with the same attributes are one shape, numbered by the first of them.
uint32_t Object::shape_of(MapId id) const {
  const MapDef& map = maps[id.value];
  const MapDef& wanted = map.inner ? maps[map.inner->value] : map;
  if (map.section != MapSection::ordinary)
    return 0;
  for (uint32_t i = 0; i < maps.size(); ++i)
    if (maps[i].is_inner_template && wanted.has_shape_of(maps[i]))
      return i + 1;
  return 0;
}

const CodeRange* Object::code_at(uint32_t section, uint32_t slot) const {
  for (const CodeRange& range : code)
    if (range.section == section && range.begin <= slot && slot < range.end)
      return &range;
  return nullptr;
}

Result<Object> read_object(std::vector<uint8_t> bytes, std::string path) {
  std::string subject = path;
  auto result = read_parts(std::move(bytes), std::move(path));
  if (!result) {
    Failure failure = std::move(result).take_error();
    failure.diagnostic().subject = std::move(subject);
    return failure;
  }
  return result;
}

Result<Object> read_object_file(const std::string& path) {
  return read_object(TRY(read_file(path)), path);
}

} // namespace bpfaot::bpf
