// SPDX-License-Identifier: MIT
//
// A compiled eBPF object as read from its file: sections, code as raw bytes, maps, types, licence.
// Nothing is linked or decoded yet (bpf/link_program.h does that per program), so one bad program
// does not hide the others. Everything that an Object refers to is in bounds.
#pragma once

#include "bpf/btf.h"
#include "bpf/btf_ext.h"
#include "bpf/elf_file.h"
#include "bpf/map_def.h"
#include "bpf/section.h"
#include "support/result.h"
#include "support/sha256.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::bpf {

// A function of an executable section, as slots of that section. Where the compiler left no
// function symbols (LLVM before 11), bounds come from BTF, other symbols and the targets of calls.
struct CodeRange {
  std::string name;
  uint32_t section = 0;        // ELF index
  uint32_t begin = 0, end = 0; // slots
  uint32_t btf_type = 0;       // function, 0 = unknown
  bool is_global = false;
  bool is_weak = false;
  bool is_hidden = false;
};

// A function that is attached somewhere: a global function outside .text.
struct ProgramEntry {
  std::string name;
  std::string section; // as written in SEC()
  SectionInfo kind;
  uint32_t code = 0;               // index into Object::code
  std::optional<Diagnostic> fault; // the section name cannot be understood
};

// A variable of a data section, or an extern of .kconfig.
struct Variable {
  std::string name;
  MapId map;
  uint32_t offset = 0, size = 0; // bytes within the map's value
  uint32_t type = 0;             // BTF type id, 0 = unknown
  bool is_static = false;
  bool is_weak = false;
  bool is_resolved = true; // .kconfig: its value is known
  bool is_fixed = false;   // --set: the programs are compiled for its value
};

struct Object {
  std::string path;           // as given, for messages
  std::vector<uint8_t> bytes; // of the file; the views below point into it
  Digest digest{};            // SHA-256 of bytes
  ElfFile elf;
  Btf btf;
  BtfExt ext;
  std::vector<CodeRange> code;        // sorted by section and begin
  std::vector<ProgramEntry> programs; // in file order
  std::vector<MapDef> maps;
  std::vector<Variable> variables; // sorted by map and offset
  std::string license;             // "" = none
  // Maps whose definition is wrong. Programs that use one fail to link; the file as a whole is
  // wrong even when none does.
  std::map<MapId, Diagnostic> map_faults;
  // Where maps are, for relocations: a `.maps` section's offset, or a whole data section.
  std::map<std::pair<uint32_t, uint64_t>, MapId> map_at; // (ELF section, offset)
  std::map<uint32_t, MapId> data_map;                    // ELF section -> map
  std::optional<MapId> kconfig_map;

  Object() = default;
  Object(Object&&) = default;
  Object& operator=(Object&&) = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  const MapDef& map(MapId id) const { return maps[id.value]; }
  std::optional<MapId> find_map(std::string_view name) const;
  // Of a map of maps: what its inner maps must have as theirs. Of others: 0 = never inside another.
  uint32_t shape_of(MapId id) const;
  // The function whose code covers a slot.
  const CodeRange* code_at(uint32_t section, uint32_t slot) const;
};

// Takes the bytes of a file; `path` is for messages. [not-elf] [wrong-machine] [big-endian]
// [elf-truncated] [elf-malformed] [btf-malformed] [btf-ext-malformed]
Result<Object> read_object(std::vector<uint8_t> bytes, std::string path);
Result<Object> read_object_file(const std::string& path);

} // namespace bpfaot::bpf
