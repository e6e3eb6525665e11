// SPDX-License-Identifier: MIT
//
// Mutations that keep an ELF file an ELF file. Bytes changed anywhere in a file mostly break its
// headers, which is found out at once; so one section, or one word of a table, is changed at a time
// and the fuzzer gets to what lies behind the reader.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace bpfaot::fuzz {

struct Section {
  Elf64_Shdr header;
  const char* name; // ends inside the file, or ""
};

inline std::vector<Section> sections_of(const uint8_t* data, size_t size) {
  Elf64_Ehdr head;
  if (size < sizeof head)
    return {};
  std::memcpy(&head, data, sizeof head);
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shoff > size ||
      (size - head.e_shoff) / sizeof(Elf64_Shdr) < head.e_shnum)
    return {};
  std::vector<Section> sections(head.e_shnum);
  for (size_t i = 0; i < sections.size(); ++i) {
    std::memcpy(&sections[i].header, data + head.e_shoff + i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
    sections[i].name = "";
  }
  if (head.e_shstrndx < sections.size()) {
    const Elf64_Shdr& names = sections[head.e_shstrndx].header;
    for (Section& section : sections) {
      const uint64_t at = names.sh_offset + section.header.sh_name;
      if (names.sh_offset < size && at < size && std::memchr(data + at, 0, size - at) != nullptr)
        section.name = reinterpret_cast<const char*>(data + at);
    }
  }
  return sections;
}

inline uint64_t interesting(std::minstd_rand& random) {
  static constexpr uint64_t kValues[] = {
      0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 4095, 4096, 0xffff, 0x10000,
      0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
      0xfffffffffffffff8, 0xfffffffffffffffe, 0xffffffffffffffff};
  return kValues[random() % std::size(kValues)];
}

// Overwrites 1, 2, 4 or 8 aligned bytes in [begin, end).
inline void overwrite_word(uint8_t* data, uint64_t begin, uint64_t end, std::minstd_rand& random) {
  const uint64_t width = uint64_t{1} << random() % 4;
  if (end < begin || (end - begin) / width == 0)
    return;
  const uint64_t at = begin + random() % ((end - begin) / width) * width;
  uint64_t value = 0;
  std::memcpy(&value, data + at, width);
  switch (random() % 4) {
  case 0: value = interesting(random); break;
  case 1: value += interesting(random); break;
  case 2: value ^= uint64_t{1} << random() % 64; break;
  default: value += random() % 65 - 32; break;
  }
  std::memcpy(data + at, &value, width);
}

// Changes one section that `wants` likes, in place, or a word of the headers.
inline size_t mutate_elf(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                         const std::function<bool(const Section&)>& wants) {
  std::minstd_rand random(seed + 1);
  std::vector<Section> sections = sections_of(data, size);
  std::erase_if(sections, [&](const Section& one) {
    return one.header.sh_type == SHT_NOBITS || one.header.sh_size == 0 || one.header.sh_offset >= size ||
           size - one.header.sh_offset < one.header.sh_size || !wants(one);
  });
  const unsigned choice = random() % 32;
  if (sections.empty() || choice == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  if (choice == 1) { // program and section headers
    Elf64_Ehdr head;
    std::memcpy(&head, data, sizeof head);
    if (random() % 2 == 0 && head.e_phoff < size)
      overwrite_word(data, head.e_phoff & ~uint64_t{7}, std::min<uint64_t>(size, head.e_phoff + head.e_phnum * 56u), random);
    else
      overwrite_word(data, head.e_shoff & ~uint64_t{7}, std::min<uint64_t>(size, head.e_shoff + head.e_shnum * 64u), random);
    return size;
  }
  for (unsigned times = 1 + random() % 3; times != 0; --times) {
    const Elf64_Shdr& section = sections[random() % sections.size()].header;
    if (random() % 2 == 0) {
      overwrite_word(data, section.sh_offset, section.sh_offset + section.sh_size, random);
      continue;
    }
    // A window, because mutating a whole long section changes a byte of it that matters seldom.
    const uint64_t window = std::min<uint64_t>(section.sh_size, 8u << random() % 8);
    const uint64_t at = section.sh_offset + (random() % (section.sh_size - window + 1) & ~uint64_t{3});
    std::vector<uint8_t> bytes(data + at, data + at + window);
    const size_t now = LLVMFuzzerMutate(bytes.data(), bytes.size(), bytes.size());
    std::memcpy(data + at, bytes.data(), now);
  }
  return size;
}

} // namespace bpfaot::fuzz
