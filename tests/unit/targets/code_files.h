// SPDX-License-Identifier: MIT
//
// The code of an ELF file, for tests that look at all of it.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <vector>

namespace bpfaot::targets {

inline std::vector<uint8_t> read_whole(const char* path) {
  std::vector<uint8_t> bytes;
  if (FILE* file = std::fopen(path, "rb")) {
    uint8_t buffer[65536];
    for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
      bytes.insert(bytes.end(), buffer, buffer + got);
    }
    std::fclose(file);
  }
  return bytes;
}

inline bool is_elf_of(const std::vector<uint8_t>& file, uint16_t machine) {
  Elf64_Ehdr header;
  if (file.size() < sizeof header || std::memcmp(file.data(), ELFMAG, 4) != 0) {
    return false;
  }
  std::memcpy(&header, file.data(), sizeof header);
  return header.e_machine == machine;
}

struct Text {
  std::span<const uint8_t> bytes;
  uint64_t address;
};

inline std::vector<Text> code_sections(const std::vector<uint8_t>& file) {
  std::vector<Text> list;
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, &file[header.e_shoff + static_cast<uint64_t>(i) * sizeof section], sizeof section);
    if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0) {
      list.push_back({std::span(file).subspan(section.sh_offset, section.sh_size), section.sh_addr});
    }
  }
  return list;
}

} // namespace bpfaot::targets
