// SPDX-License-Identifier: MIT
//
// The file's header and tables: segments, sections, dynamic section, notes, addresses. Symbols are
// in elf_symbols.cpp.
#include "loader/elf.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace bpfaot::loader {
namespace {

// Tables longer than this are hostile or broken; real binaries stay far below.
constexpr uint64_t kMaxDynamic = 4096;
constexpr uint64_t kMaxSections = 1u << 20;

template <class T> std::optional<T> read_at(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
    return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string machine_word(uint16_t machine) { return std::to_string(machine); }

} // namespace

Result<ElfView> ElfView::open(std::span<const uint8_t> bytes) {
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return fail(Code::kElfFormat, "not an ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64)
    return fail(Code::kElfFormat, header->e_ident[EI_CLASS] == ELFCLASS32
                                      ? "a 32-bit ELF file, 64-bit is needed"
                                      : "an ELF file of unknown class");
  if (header->e_ident[EI_DATA] != ELFDATA2LSB)
    return fail(Code::kElfFormat, "a big-endian ELF file, little-endian is needed");
  ElfView view;
  view.bytes_ = bytes;
  view.type_ = header->e_type;
  view.machine_ = header->e_machine;
  view.flags_ = header->e_flags;
  view.entry_ = header->e_entry;
  // Counts that do not fit their fields are in the first section header (gABI, extended numbering).
  const auto first = header->e_shentsize == sizeof(Elf64_Shdr) ? read_at<Elf64_Shdr>(bytes, header->e_shoff)
                                                              : std::nullopt;
  const bool is_extended = header->e_shoff != 0 && first;
  const uint64_t segments = header->e_phnum == PN_XNUM && is_extended ? first->sh_info : header->e_phnum;
  const uint64_t sections = header->e_shnum == 0 && is_extended ? first->sh_size : header->e_shnum;
  const uint64_t names = header->e_shstrndx == SHN_XINDEX && is_extended ? first->sh_link : header->e_shstrndx;
  if (segments != 0 && header->e_phentsize != sizeof(Elf64_Phdr))
    return fail(Code::kElfFormat, "program headers of " + machine_word(header->e_phentsize) +
                                      " bytes, 56 are needed");
  if (view.at_offset(header->e_phoff, segments * sizeof(Elf64_Phdr)).size() != segments * sizeof(Elf64_Phdr))
    return fail(Code::kElfFormat, "the program header table lies outside the file");
  view.segments_.reserve(segments);
  for (uint64_t i = 0; i < segments; ++i) {
    const auto p = *read_at<Elf64_Phdr>(bytes, header->e_phoff + i * sizeof(Elf64_Phdr));
    // Nobody behind this has to think of addresses that wrap.
    if (p.p_type == PT_LOAD &&
        (p.p_vaddr + p.p_memsz < p.p_vaddr || p.p_offset + p.p_filesz < p.p_offset || p.p_filesz > p.p_memsz))
      return fail(Code::kElfFormat, "segment " + std::to_string(i) + " is larger than the address space");
    view.segments_.push_back(
        {p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz, p.p_align});
  }
  view.read_sections(header->e_shoff, header->e_shentsize, sections, names);
  view.read_dynamic();
  view.read_symbol_tables();
  return view;
}

void ElfView::read_sections(uint64_t table, uint16_t entry_size, uint64_t count, uint64_t names) {
  const uint64_t size = count * sizeof(Elf64_Shdr);
  if (count == 0 || count > kMaxSections || entry_size != sizeof(Elf64_Shdr) || at_offset(table, size).size() != size)
    return;
  uint64_t strings = 0, strings_size = 0;
  if (names < count) {
    const auto s = *read_at<Elf64_Shdr>(bytes_, table + names * sizeof(Elf64_Shdr));
    if (s.sh_type == SHT_STRTAB && !at_offset(s.sh_offset, s.sh_size).empty())
      strings = s.sh_offset, strings_size = s.sh_size;
  }
  sections_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto s = *read_at<Elf64_Shdr>(bytes_, table + i * sizeof(Elf64_Shdr));
    sections_.push_back({string_at(strings, strings_size, s.sh_name), s.sh_type, s.sh_link,
                         s.sh_flags, s.sh_addr, s.sh_offset, s.sh_size, s.sh_entsize});
  }
}

void ElfView::read_dynamic() {
  for (const ElfSegment& segment : segments_) {
    if (segment.type != PT_DYNAMIC)
      continue;
    for (uint64_t i = 0; i < std::min(segment.file_size / sizeof(Elf64_Dyn), kMaxDynamic); ++i) {
      const auto entry = at_offset(segment.offset, segment.file_size).empty()
                             ? std::nullopt
                             : read_at<Elf64_Dyn>(bytes_, segment.offset + i * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL)
        return;
      dynamic_.push_back({entry->d_tag, entry->d_un.d_val});
    }
    return;
  }
}

bool ElfView::is_position_independent() const { return type_ == ET_DYN; }

std::optional<uint64_t> ElfView::dynamic_value(int64_t tag) const {
  for (const ElfDynamic& entry : dynamic_)
    if (entry.tag == tag)
      return entry.value;
  return std::nullopt;
}

std::string_view ElfView::interpreter() const {
  for (const ElfSegment& segment : segments_)
    if (segment.type == PT_INTERP)
      return string_at(segment.offset, segment.file_size, 0);
  return {};
}

std::string_view ElfView::soname() const {
  const auto index = dynamic_value(DT_SONAME);
  return index ? dynamic_string(*index) : std::string_view();
}

std::vector<std::string_view> ElfView::needed() const {
  std::vector<std::string_view> names;
  for (const ElfDynamic& entry : dynamic_)
    if (entry.tag == DT_NEEDED)
      names.push_back(dynamic_string(entry.value));
  return names;
}

uint64_t ElfView::load_base() const {
  uint64_t base = UINT64_MAX;
  for (const ElfSegment& segment : segments_)
    if (segment.type == PT_LOAD)
      base = std::min(base, segment.vaddr & ~uint64_t{4095});
  return base == UINT64_MAX ? 0 : base;
}

std::span<const uint8_t> ElfView::at_offset(uint64_t offset, uint64_t size) const {
  if (offset > bytes_.size() || bytes_.size() - offset < size)
    return {};
  return bytes_.subspan(offset, size);
}

std::span<const uint8_t> ElfView::at(uint64_t vaddr, uint64_t size) const {
  for (const ElfSegment& segment : segments_) {
    if (segment.type != PT_LOAD || vaddr < segment.vaddr)
      continue;
    const uint64_t inside = vaddr - segment.vaddr;
    if (inside > segment.file_size || segment.file_size - inside < size)
      continue;
    if (segment.offset > bytes_.size())
      continue;
    return at_offset(segment.offset + inside, size);
  }
  return {};
}

std::optional<uint64_t> ElfView::vaddr_of_offset(uint64_t offset) const {
  const ElfSegment* best = nullptr; // pages are mapped twice at segment borders: code wins
  for (const ElfSegment& segment : segments_)
    if (segment.type == PT_LOAD && offset >= segment.offset &&
        offset - segment.offset < segment.file_size && (!best || (segment.flags & PF_X)))
      best = &segment;
  if (!best)
    return std::nullopt;
  return best->vaddr + (offset - best->offset);
}

std::optional<uint64_t> ElfView::offset_of_vaddr(uint64_t vaddr) const {
  for (const ElfSegment& segment : segments_)
    if (segment.type == PT_LOAD && vaddr >= segment.vaddr &&
        vaddr - segment.vaddr < segment.file_size)
      return segment.offset + (vaddr - segment.vaddr);
  return std::nullopt;
}

const ElfSegment* ElfView::segment_of(uint64_t vaddr) const {
  for (const ElfSegment& segment : segments_)
    if (segment.type == PT_LOAD && vaddr >= segment.vaddr &&
        vaddr - segment.vaddr < segment.mem_size)
      return &segment;
  return nullptr;
}

bool ElfView::is_code(uint64_t vaddr) const {
  const ElfSegment* segment = segment_of(vaddr);
  return segment && (segment->flags & PF_X);
}

bool ElfView::visit_notes(uint64_t offset, uint64_t size, uint64_t vaddr, uint64_t align,
                          const std::function<bool(const ElfNote&)>& visit) const {
  const auto area = at_offset(offset, size);
  for (uint64_t at = 0;;) {
    const auto header = read_at<Elf64_Nhdr>(area, at);
    if (!header)
      return true;
    const uint64_t name_at = at + sizeof(Elf64_Nhdr);
    const uint64_t desc_at = (name_at + header->n_namesz + align - 1) & ~(align - 1);
    const uint64_t end = desc_at + header->n_descsz;
    if (end > area.size())
      return true;
    ElfNote note;
    note.name = string_at(offset + name_at, header->n_namesz, 0);
    note.type = header->n_type;
    note.desc = area.subspan(desc_at, header->n_descsz);
    note.desc_vaddr = vaddr == 0 ? 0 : vaddr + desc_at;
    if (!visit(note))
      return false;
    at = (end + align - 1) & ~(align - 1);
  }
}

void ElfView::for_each_note(const std::function<bool(const ElfNote&)>& visit) const {
  bool has_segment = false;
  for (const ElfSegment& segment : segments_) {
    if (segment.type != PT_NOTE)
      continue;
    has_segment = true;
    // Only PT_NOTE with p_align 8 pads to 8 (gABI; .note.gnu.property).
    if (!visit_notes(segment.offset, segment.file_size, segment.vaddr, segment.align == 8 ? 8 : 4, visit))
      return;
  }
  if (has_segment)
    return;
  for (const ElfSection& section : sections_) // static programs without segments for them, debug files
    if (section.type == SHT_NOTE &&
        !visit_notes(section.offset, section.size, (section.flags & SHF_ALLOC) != 0 ? section.address : 0, 4, visit))
      return;
}

std::optional<ElfNote> ElfView::find_note(std::string_view name, uint32_t type) const {
  std::optional<ElfNote> found;
  for_each_note([&](const ElfNote& note) {
    if (note.name == name && note.type == type)
      found = note;
    return !found;
  });
  return found;
}

std::string ElfView::build_id() const {
  const auto note = find_note("GNU", NT_GNU_BUILD_ID);
  std::string text;
  if (note)
    for (const uint8_t byte : note->desc) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
  return text;
}

std::optional<ElfDebugLink> ElfView::debug_link() const {
  for (const ElfSection& section : sections_) {
    if (section.name != ".gnu_debuglink")
      continue;
    // A name with its terminator, zeros up to a multiple of 4, the checksum.
    const auto bytes = at_offset(section.offset, section.size);
    const std::string_view file = string_at(section.offset, section.size, 0);
    const auto crc = read_at<uint32_t>(bytes, (file.size() + 4) & ~uint64_t{3});
    if (!file.empty() && file.find('/') == std::string_view::npos && crc)
      return ElfDebugLink{file, *crc};
  }
  return std::nullopt;
}

uint32_t crc32(std::span<const uint8_t> bytes) {
  std::array<uint32_t, 256> table;
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    table[i] = value;
  }
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes)
    crc = table[(crc ^ byte) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::string_view ElfView::string_at(uint64_t offset, uint64_t size, uint64_t index) const {
  const auto table = at_offset(offset, size);
  if (index >= table.size())
    return {};
  const auto tail = table.subspan(index);
  const auto* end = std::find(tail.data(), tail.data() + tail.size(), 0);
  return {reinterpret_cast<const char*>(tail.data()), static_cast<size_t>(end - tail.data())};
}

std::string_view ElfView::dynamic_string(uint64_t index) const {
  return string_at(dynsym_.strings, dynsym_.strings_size, index);
}

} // namespace bpfaot::loader
