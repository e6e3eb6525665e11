// SPDX-License-Identifier: MIT
#include "linker/elf_view.h"

namespace bpfaot::linker {
namespace {

Failure bad(std::string what) {
  return fail(Code::kLayout, std::move(what));
}

} // namespace

Result<ElfView> ElfView::create(std::span<const uint8_t> bytes) {
  ElfView view;
  view.bytes_ = bytes;
  const auto header = view.read_at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return bad("the image is not an ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
    return bad("the image is not a 64-bit little-endian ELF file");
  view.header_ = *header;
  for (uint32_t i = 0; i < header->e_phnum; ++i) {
    const auto segment =
        view.read_at<Elf64_Phdr>(header->e_phoff + uint64_t{i} * sizeof(Elf64_Phdr));
    if (!segment || segment->p_offset > bytes.size() ||
        segment->p_filesz > bytes.size() - segment->p_offset ||
        segment->p_vaddr + segment->p_memsz < segment->p_vaddr ||
        segment->p_filesz > segment->p_memsz)
      return bad("program header " + std::to_string(i) + " lies outside the image");
    view.segments_.push_back(*segment);
  }
  for (const Elf64_Phdr& segment : view.segments_)
    if (segment.p_type == PT_DYNAMIC)
      for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
        const auto entry = view.read_at<Elf64_Dyn>(segment.p_offset + at);
        if (entry->d_tag == DT_NULL)
          break;
        view.dynamic_.push_back(*entry);
      }
  for (uint32_t i = 0; i < header->e_shnum; ++i) {
    const auto section =
        view.read_at<Elf64_Shdr>(header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr));
    if (!section)
      return bad("section header " + std::to_string(i) + " lies outside the image");
    if (section->sh_type == SHT_DYNSYM)
      view.symbol_count_ = static_cast<uint32_t>(section->sh_size / sizeof(Elf64_Sym));
  }
  return view;
}

const Elf64_Phdr* ElfView::load_of(uint64_t address, uint64_t size) const {
  for (const Elf64_Phdr& segment : segments_)
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr <= segment.p_memsz &&
        size <= segment.p_memsz - (address - segment.p_vaddr))
      return &segment;
  return nullptr;
}

std::optional<uint64_t> ElfView::file_offset(uint64_t address, uint64_t size) const {
  const Elf64_Phdr* segment = load_of(address, size);
  if (segment == nullptr || address - segment->p_vaddr > segment->p_filesz ||
      size > segment->p_filesz - (address - segment->p_vaddr))
    return std::nullopt;
  return segment->p_offset + (address - segment->p_vaddr);
}

std::optional<uint64_t> ElfView::dynamic_value(int64_t tag) const {
  for (const Elf64_Dyn& entry : dynamic_)
    if (entry.d_tag == tag)
      return entry.d_un.d_val;
  return std::nullopt;
}

Result<std::vector<std::pair<std::string, Elf64_Sym>>> ElfView::dynamic_symbols() const {
  std::vector<std::pair<std::string, Elf64_Sym>> symbols;
  const auto table = dynamic_value(DT_SYMTAB);
  const auto strings = dynamic_value(DT_STRTAB);
  if (!table || !strings)
    return bad("the image has no dynamic symbol table");
  for (uint32_t i = 1; i < symbol_count_; ++i) {
    const auto at = file_offset(*table + uint64_t{i} * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
    const auto symbol = at ? read_at<Elf64_Sym>(*at) : std::nullopt;
    if (!symbol)
      return bad("dynamic symbol " + std::to_string(i) + " lies outside the image");
    std::string name;
    for (uint64_t address = *strings + symbol->st_name;; ++address) {
      const auto byte_at = file_offset(address, 1);
      const auto byte = byte_at ? read_at<char>(*byte_at) : std::nullopt;
      if (!byte)
        return bad("the name of dynamic symbol " + std::to_string(i) + " lies outside the image");
      if (*byte == '\0')
        break;
      name += *byte;
    }
    symbols.emplace_back(std::move(name), *symbol);
  }
  return symbols;
}

} // namespace bpfaot::linker
