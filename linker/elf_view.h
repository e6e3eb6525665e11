// SPDX-License-Identifier: MIT
//
// Reading the image that lld has just written: headers, dynamic table, addresses. Little-endian
// ELF64 only, every access checked. Not a general ELF reader: bpf/ and loader/ have their own.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <elf.h>

namespace bpfaot::linker {

class ElfView {
public:
  static Result<ElfView> create(std::span<const uint8_t> bytes);

  const Elf64_Ehdr& header() const { return header_; }
  const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  const std::vector<Elf64_Dyn>& dynamic() const { return dynamic_; }

  // The PT_LOAD that contains [address, address + size), null when there is none.
  const Elf64_Phdr* load_of(uint64_t address, uint64_t size) const;
  // Where those bytes are in the file; none when they are not all file-backed.
  std::optional<uint64_t> file_offset(uint64_t address, uint64_t size) const;
  std::optional<uint64_t> dynamic_value(int64_t tag) const;
  // Symbols of the dynamic symbol table without the null symbol; names from the dynamic strings.
  Result<std::vector<std::pair<std::string, Elf64_Sym>>> dynamic_symbols() const;

  template <class T> std::optional<T> read_at(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T))
      return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

private:
  std::span<const uint8_t> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Dyn> dynamic_;
  uint32_t symbol_count_ = 0; // from the section header of .dynsym
};

} // namespace bpfaot::linker
