// SPDX-License-Identifier: MIT
//
// Sections, symbols and relocations of an eBPF ELF object. elf_file.cpp is the only file that
// includes libelf, and what it says about offsets and sizes is checked again here.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bpfaot::bpf {

struct ElfSection {
  std::string_view name;
  uint32_t type = 0;
  uint64_t flags = 0, size = 0, entry_size = 0;
  uint32_t link = 0, info = 0;
  std::span<const uint8_t> data; // empty for .bss

  bool is_code() const { return type == 1 && (flags & 4) != 0; } // SHT_PROGBITS, SHF_EXECINSTR
  bool is_zero_filled() const { return type == 8; }              // SHT_NOBITS
};

enum class SymbolKind : uint8_t {
  notype = 0,
  object = 1,
  function = 2,
  section = 3,
  file = 4,
  other
};

struct ElfSymbol {
  static constexpr uint32_t kUndefined = 0,
                            kNowhere = UINT32_MAX; // absolute and other special ones
  std::string_view name;
  uint32_t section = kUndefined;
  uint64_t value = 0, size = 0;
  SymbolKind kind = SymbolKind::notype;
  bool is_local = false, is_weak = false;
  bool is_hidden = false; // seen within its object only
};

enum class RelocKind : uint32_t {
  none = 0,
  r64_64 = 1,
  r64_abs64 = 2,
  r64_abs32 = 3,
  r64_nodyld32 = 4,
  r64_32 = 10,
};

struct ElfRelocation {
  uint32_t section = 0; // that it patches
  uint64_t offset = 0;  // bytes in it
  RelocKind kind{};
  uint32_t symbol = 0; // index into symbols, checked
};

struct ElfFile {
  std::vector<ElfSection> sections; // by ELF index
  std::vector<ElfSymbol> symbols;
  std::vector<ElfRelocation> relocations; // sorted by section and offset

  std::optional<uint32_t> find_section(std::string_view name) const;
  std::span<const ElfRelocation> relocations_of(uint32_t section) const;
  // The one at exactly this offset.
  const ElfRelocation* relocation_at(uint32_t section, uint64_t offset) const;
};

// Names and data of the result are views into `bytes`.
Result<ElfFile> read_elf(std::span<const uint8_t> bytes);
// The bytes of one section of any 64-bit little-endian ELF file, e.g. .BTF of a kernel image.
// [not-elf] [elf-malformed] [elf-truncated]
Result<std::span<const uint8_t>> find_elf_section(std::span<const uint8_t> bytes, std::string_view name);

} // namespace bpfaot::bpf
