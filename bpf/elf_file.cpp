// SPDX-License-Identifier: MIT
//
// The door to libelf. libelf finds the section headers (with all the escapes of large files); what
// they point to is taken from the file's bytes under checks of our own, in 64 bits.
#include "bpf/elf_file.h"

#include "bpf/bytes.h"

#include <algorithm>
#include <gelf.h>
#include <libelf.h>
#include <memory>
#include <string>

namespace bpfaot::bpf {
namespace {

static_assert(EM_BPF == 247);

struct CloseElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};

Failure truncated(std::string what, uint64_t end, uint64_t size) {
  return Failure(
      make_error(Code::kElfTruncated, std::move(what) + " lies beyond the end of the file")
          .values("end at byte " + std::to_string(end), "at most " + std::to_string(size)));
}

Failure malformed(std::string what) {
  return fail(Code::kElfMalformed, std::move(what));
}

Status check_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0)
    return fail(Code::kNotElf, bytes.empty() ? "the file is empty"
                                             : "the file does not begin with the ELF magic number");
  if (bytes.size() < EI_NIDENT)
    return truncated("the ELF header", sizeof(Elf64_Ehdr), bytes.size());
  if (bytes[EI_DATA] == ELFDATA2MSB)
    return Failure(make_error(Code::kBigEndian, "the object is big-endian")
                       .values("big-endian", "little-endian (clang -target bpfel)"));
  if (bytes[EI_CLASS] != ELFCLASS64)
    return Failure(make_error(Code::kWrongMachine, "the ELF file is not a 64-bit object")
                       .values("class " + std::to_string(bytes[EI_CLASS]), "ELFCLASS64"));
  if (bytes[EI_DATA] != ELFDATA2LSB)
    return malformed("the ELF header has byte order " + std::to_string(bytes[EI_DATA]));
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  if (!header)
    return truncated("the ELF header", sizeof(Elf64_Ehdr), bytes.size());
  if (header->e_machine != EM_BPF)
    return Failure(make_error(Code::kWrongMachine, "the ELF file is not for eBPF")
                       .values("machine " + std::to_string(header->e_machine), "247 (EM_BPF)"));
  if (header->e_type != ET_REL)
    return malformed("the ELF file is no relocatable object (type " +
                     std::to_string(header->e_type) + ", needed 1)");
  if (header->e_shoff == 0)
    return malformed("the object has no sections");
  if (header->e_shentsize != sizeof(Elf64_Shdr))
    return malformed("section headers of " + std::to_string(header->e_shentsize) +
                     " bytes, needed 64");
  const uint64_t table = uint64_t{std::max<uint16_t>(header->e_shnum, 1)} * sizeof(Elf64_Shdr);
  if (!slice(bytes, header->e_shoff, table))
    return truncated("the section header table", header->e_shoff + table, bytes.size());
  return {};
}

class Reader {
public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  Result<ElfFile> read() {
    TRY(check_header(bytes_));
    TRY(read_sections());
    TRY(read_symbols());
    TRY(read_relocations());
    return std::move(file_);
  }

private:
  Status read_sections() {
    elf_version(EV_CURRENT);
    // libelf only reads from it: elf_memory() images are never written back.
    const std::unique_ptr<Elf, CloseElf> elf(
        elf_memory(const_cast<char*>(reinterpret_cast<const char*>(bytes_.data())), bytes_.size()));
    size_t count = 0, names = 0;
    if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF ||
        elf_getshdrnum(elf.get(), &count) != 0 || elf_getshdrstrndx(elf.get(), &names) != 0)
      return malformed(std::string("the section headers cannot be read: ") + elf_errmsg(-1));
    if (count > bytes_.size() / sizeof(Elf64_Shdr))
      return malformed(std::to_string(count) + " sections do not fit the file");
    std::vector<uint32_t> name_offsets;
    for (size_t i = 0; i < count; ++i) {
      GElf_Shdr header;
      Elf_Scn* scn = elf_getscn(elf.get(), i);
      if (scn == nullptr || gelf_getshdr(scn, &header) == nullptr)
        return malformed("the header of section " + std::to_string(i) + " cannot be read");
      name_offsets.push_back(header.sh_name);
      file_.sections.push_back({.type = header.sh_type,
                                .flags = header.sh_flags,
                                .size = header.sh_size,
                                .entry_size = header.sh_entsize,
                                .link = header.sh_link,
                                .info = header.sh_info});
      if (i == 0 || header.sh_type == SHT_NULL || header.sh_type == SHT_NOBITS)
        continue;
      const auto data = slice(bytes_, header.sh_offset, header.sh_size);
      if (!data)
        return truncated("section " + std::to_string(i), header.sh_offset + header.sh_size,
                         bytes_.size());
      file_.sections.back().data = *data;
    }
    if (names >= count)
      return malformed("the section of section names does not exist");
    for (size_t i = 0; i < count; ++i)
      file_.sections[i].name =
          TRY(string(static_cast<uint32_t>(names), name_offsets[i], "section name"));
    return {};
  }

  Result<std::string_view> string(uint32_t table, uint32_t offset, const char* what) {
    const auto data =
        table < file_.sections.size() ? file_.sections[table].data : std::span<const uint8_t>();
    if (offset == 0 && data.empty())
      return std::string_view();
    const auto rest = slice(data, offset, data.size() >= offset ? data.size() - offset : 1);
    const void* end = rest && !rest->empty() ? std::memchr(rest->data(), 0, rest->size()) : nullptr;
    if (end == nullptr)
      return malformed(std::string(what) + " lies outside its string table");
    return std::string_view(reinterpret_cast<const char*>(rest->data()),
                            static_cast<const uint8_t*>(end) - rest->data());
  }

  Status read_symbols() {
    for (uint32_t i = 0; i < file_.sections.size(); ++i) {
      if (file_.sections[i].type != SHT_SYMTAB)
        continue;
      if (symbol_table_ != 0)
        return malformed("the object has two symbol tables");
      symbol_table_ = i;
      const auto data = file_.sections[i].data;
      if (data.size() % sizeof(Elf64_Sym) != 0)
        return malformed("the symbol table ends inside a symbol");
      for (uint64_t at = 0; at < data.size(); at += sizeof(Elf64_Sym))
        TRY(add_symbol(*load<Elf64_Sym>(data, at), file_.sections[i].link));
    }
    return {};
  }

  Status add_symbol(const Elf64_Sym& raw, uint32_t strings) {
    ElfSymbol symbol;
    symbol.name = TRY(string(strings, raw.st_name, "symbol name"));
    symbol.value = raw.st_value;
    symbol.size = raw.st_size;
    const unsigned type = ELF64_ST_TYPE(raw.st_info), bind = ELF64_ST_BIND(raw.st_info);
    symbol.kind = type <= STT_FILE ? SymbolKind(type) : SymbolKind::other;
    symbol.is_local = bind == STB_LOCAL;
    symbol.is_weak = bind == STB_WEAK;
    const unsigned visibility = ELF64_ST_VISIBILITY(raw.st_other);
    symbol.is_hidden = visibility == STV_HIDDEN || visibility == STV_INTERNAL;
    // SHN_XINDEX needs more sections than clang makes for one file; such a symbol is nowhere.
    symbol.section = raw.st_shndx < SHN_LORESERVE ? raw.st_shndx : ElfSymbol::kNowhere;
    if (symbol.section != ElfSymbol::kNowhere) {
      if (symbol.section >= file_.sections.size())
        return malformed("symbol '" + std::string(symbol.name) + "' lies in section " +
                         std::to_string(symbol.section) + ", which does not exist");
      if (symbol.section != ElfSymbol::kUndefined &&
          symbol.value > file_.sections[symbol.section].size)
        return malformed("symbol '" + std::string(symbol.name) + "' lies outside its section");
      if (symbol.kind == SymbolKind::section && symbol.name.empty())
        symbol.name = file_.sections[symbol.section].name;
    }
    file_.symbols.push_back(std::move(symbol));
    return {};
  }

  Status read_relocations() {
    for (const ElfSection& section : file_.sections) {
      if (section.type == SHT_RELA)
        return malformed("section '" + std::string(section.name) +
                         "' has relocations with addends, which eBPF does not use");
      if (section.type != SHT_REL)
        continue;
      if (section.info == 0 || section.info >= file_.sections.size())
        return malformed("section '" + std::string(section.name) +
                         "' relocates a section that does not exist");
      if (section.data.size() % sizeof(Elf64_Rel) != 0)
        return malformed("section '" + std::string(section.name) + "' ends inside a relocation");
      if (section.link != symbol_table_)
        return malformed("section '" + std::string(section.name) +
                         "' does not use the symbol table");
      for (uint64_t at = 0; at < section.data.size(); at += sizeof(Elf64_Rel))
        TRY(add_relocation(section, *load<Elf64_Rel>(section.data, at)));
    }
    std::stable_sort(file_.relocations.begin(), file_.relocations.end(),
                     [](const auto& a, const auto& b) {
                       return a.section != b.section ? a.section < b.section : a.offset < b.offset;
                     });
    return {};
  }

  Status add_relocation(const ElfSection& section, const Elf64_Rel& raw) {
    const uint64_t symbol = ELF64_R_SYM(raw.r_info);
    if (symbol >= file_.symbols.size())
      return malformed("a relocation of section '" + std::string(section.name) + "' names symbol " +
                       std::to_string(symbol) + ", which does not exist");
    if (raw.r_offset >= file_.sections[section.info].size)
      return malformed("a relocation of section '" + std::string(section.name) +
                       "' lies outside the section it patches");
    file_.relocations.push_back({section.info, raw.r_offset, RelocKind(ELF64_R_TYPE(raw.r_info)),
                                 static_cast<uint32_t>(symbol)});
    return {};
  }

  std::span<const uint8_t> bytes_;
  ElfFile file_;
  uint32_t symbol_table_ = 0;
};

} // namespace

Result<ElfFile> read_elf(std::span<const uint8_t> bytes) {
  return Reader(bytes).read();
}

Result<std::span<const uint8_t>> find_elf_section(std::span<const uint8_t> bytes, std::string_view name) {
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, CloseElf> elf(elf_memory(
      const_cast<char*>(reinterpret_cast<const char*>(bytes.data())), bytes.size())); // it does not write
  size_t names = 0;
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF || elf_getshdrstrndx(elf.get(), &names) != 0)
    return fail(Code::kNotElf, "the file is no ELF file with sections");
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    const char* found = nullptr;
    if (gelf_getshdr(section, &header) == nullptr ||
        (found = elf_strptr(elf.get(), names, header.sh_name)) == nullptr || name != found)
      continue;
    if (header.sh_type == SHT_NOBITS || (header.sh_flags & SHF_COMPRESSED) != 0)
      return malformed("section '" + std::string(name) + "' has no plain bytes");
    const auto data = slice(bytes, header.sh_offset, header.sh_size);
    if (!data)
      return truncated("section '" + std::string(name) + "'", header.sh_offset + header.sh_size, bytes.size());
    return *data;
  }
  return malformed("the file has no section '" + std::string(name) + "'");
}

std::optional<uint32_t> ElfFile::find_section(std::string_view name) const {
  for (uint32_t i = 1; i < sections.size(); ++i)
    if (sections[i].name == name)
      return i;
  return std::nullopt;
}

std::span<const ElfRelocation> ElfFile::relocations_of(uint32_t section) const {
  const auto begin =
      std::lower_bound(relocations.begin(), relocations.end(), section,
                       [](const ElfRelocation& r, uint32_t wanted) { return r.section < wanted; });
  const auto end =
      std::upper_bound(begin, relocations.end(), section,
                       [](uint32_t wanted, const ElfRelocation& r) { return wanted < r.section; });
  return {begin, end};
}

const ElfRelocation* ElfFile::relocation_at(uint32_t section, uint64_t offset) const {
  const auto list = relocations_of(section);
  const auto found =
      std::lower_bound(list.begin(), list.end(), offset,
                       [](const ElfRelocation& r, uint64_t wanted) { return r.offset < wanted; });
  return found != list.end() && found->offset == offset ? &*found : nullptr;
}

} // namespace bpfaot::bpf
