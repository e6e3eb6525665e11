// SPDX-License-Identifier: MIT
//
// A small checked reader of ELF64 little-endian files: executables, libraries, images, the vDSO.
// It answers what attaching needs (symbols, segments, notes) and is not a general ELF library.
// Nothing in the file is trusted: every offset and count is checked in 64-bit arithmetic, a table
// that does not fit is treated as absent, and garbage gives an error or fewer symbols, never a crash.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

struct ElfSegment {
  uint32_t type = 0;  // PT_*
  uint32_t flags = 0; // PF_*
  uint64_t offset = 0, vaddr = 0, file_size = 0, mem_size = 0, align = 0;
};

struct ElfSection {
  std::string_view name; // "" without a section name table
  uint32_t type = 0;
  uint32_t link = 0;
  uint64_t flags = 0, address = 0, offset = 0, size = 0, entry_size = 0;
};

struct ElfSymbol {
  std::string_view name;
  uint64_t value = 0; // vaddr
  uint64_t size = 0;
  uint8_t type = 0;  // STT_*
  uint8_t bind = 0;  // STB_*
  uint16_t section = 0;
  bool dynamic = false;        // from .dynsym
  bool hidden_version = false; // name@VERSION rather than name@@VERSION
  bool is_defined() const { return section != 0; }
  bool is_ifunc() const;    // the value is a resolver, not the function
  bool is_function() const; // STT_FUNC or an IFUNC; hand-written code may be STT_NOTYPE
  bool is_imported() const { return section == 0; } // only a PLT entry (value, when not 0) is here
};

struct ElfNote {
  std::string_view name; // without the terminator
  uint32_t type = 0;
  uint64_t desc_vaddr = 0; // 0 when the note is not loaded
  std::span<const uint8_t> desc;
};

// .gnu_debuglink: where the symbols went when the file was stripped.
struct ElfDebugLink {
  std::string_view file; // a name without directories
  uint32_t crc = 0;      // crc32() of that file
};

struct ElfDynamic {
  int64_t tag = 0;
  uint64_t value = 0;
};

// A view: `bytes` must outlive it.
class ElfView {
public:
  // [elf-format]: not ELF, 32-bit, big-endian, or a program header table that does not fit.
  static Result<ElfView> open(std::span<const uint8_t> bytes);

  std::span<const uint8_t> bytes() const { return bytes_; }
  uint16_t type() const { return type_; }       // ET_EXEC, ET_DYN, …
  uint16_t machine() const { return machine_; } // EM_*
  uint64_t entry() const { return entry_; }
  uint32_t elf_flags() const { return flags_; }
  bool is_position_independent() const;
  std::span<const ElfSegment> segments() const { return segments_; }
  std::span<const ElfSection> sections() const { return sections_; } // empty when stripped of them
  std::span<const ElfDynamic> dynamic() const { return dynamic_; }
  std::optional<uint64_t> dynamic_value(int64_t tag) const;
  std::string_view interpreter() const; // PT_INTERP, "" for static programs
  std::string_view soname() const;
  std::vector<std::string_view> needed() const;
  // Lowest vaddr of a PT_LOAD, rounded down to its page: load bias = mapping address - this.
  uint64_t load_base() const;

  // File bytes behind [vaddr, vaddr + size), empty when any of them is not in the file.
  std::span<const uint8_t> at(uint64_t vaddr, uint64_t size) const;
  std::span<const uint8_t> at_offset(uint64_t offset, uint64_t size) const;
  std::optional<uint64_t> vaddr_of_offset(uint64_t offset) const; // through PT_LOAD
  std::optional<uint64_t> offset_of_vaddr(uint64_t vaddr) const;
  const ElfSegment* segment_of(uint64_t vaddr) const; // PT_LOAD that holds it in memory
  bool is_code(uint64_t vaddr) const;

  // All symbols with names: .symtab, that of add_symbols_of(), .dynsym. Stops when `visit` returns false.
  void for_each_symbol(const std::function<bool(const ElfSymbol&)>& visit) const;
  uint64_t symbol_count() const { return symtab_.count + debug_symtab_.count + dynsym_.count; }
  uint64_t dynamic_symbol_count() const { return dynsym_.count; }
  bool has_symtab() const { return symtab_.count != 0; }
  // Also the .symtab of `debug`, a separate debug file of this very binary. Its bytes must live as
  // long as this view's.
  void add_symbols_of(const ElfView& debug) { debug_symtab_ = debug.symtab_; }
  // Defined symbol of .dynsym through DT_GNU_HASH or DT_HASH; a walk when the file has neither.
  std::optional<ElfSymbol> find_dynamic_symbol(std::string_view name) const;
  // Defined symbol of any type; prefers default versions, functions and .dynsym.
  std::optional<ElfSymbol> find_symbol(std::string_view name) const;
  // Defined function; [symbol-not-found] names the nearest ones, or says that it is only imported.
  Result<ElfSymbol> find_function(std::string_view name) const;
  // Function whose [value, value+size) holds vaddr; a zero-sized one when it is the nearest before.
  std::optional<ElfSymbol> function_at(uint64_t vaddr) const;
  std::vector<std::string> near_names(std::string_view name, size_t limit = 4) const;

  void for_each_note(const std::function<bool(const ElfNote&)>& visit) const;
  std::optional<ElfNote> find_note(std::string_view name, uint32_t type) const;
  std::string build_id() const; // lowercase hex, "" when absent
  std::optional<ElfDebugLink> debug_link() const;

private:
  struct SymbolTable {
    std::span<const uint8_t> file;      // that the offsets are in
    uint64_t offset = 0, count = 0;     // file offset of Elf64_Sym[count]
    uint64_t strings = 0, strings_size = 0; // file offset
    uint64_t versions = 0;              // file offset of uint16_t[count], 0 = none
  };

  void read_sections(uint64_t table, uint16_t entry_size, uint64_t count, uint64_t names);
  void read_dynamic();
  void read_symbol_tables();
  uint64_t count_dynamic_symbols() const;
  uint64_t count_gnu_hash(uint64_t vaddr) const;
  // Visits the indices that the table's chain for `name` holds; false when the table is unusable.
  bool walk_gnu_hash(std::string_view name, const std::function<void(uint64_t)>& visit) const;
  bool walk_hash(std::string_view name, const std::function<void(uint64_t)>& visit) const;
  bool visit_notes(uint64_t offset, uint64_t size, uint64_t vaddr, uint64_t align,
                   const std::function<bool(const ElfNote&)>& visit) const;
  std::optional<ElfSymbol> symbol(const SymbolTable& table, uint64_t index) const;
  std::string_view string_at(uint64_t offset, uint64_t size, uint64_t index) const;
  std::string_view dynamic_string(uint64_t index) const;

  std::span<const uint8_t> bytes_;
  uint16_t type_ = 0, machine_ = 0;
  uint32_t flags_ = 0;
  uint64_t entry_ = 0;
  std::vector<ElfSegment> segments_;
  std::vector<ElfSection> sections_;
  std::vector<ElfDynamic> dynamic_;
  SymbolTable symtab_, debug_symtab_, dynsym_;
};

// As in zlib; what .gnu_debuglink names files by.
uint32_t crc32(std::span<const uint8_t> bytes);

} // namespace bpfaot::loader
