// SPDX-License-Identifier: MIT
//
// Symbols of an ELF file: where the tables are (by section, or by the dynamic section when a file
// has none), how many there are (hash tables), and look-up by name and by address.
#include "loader/elf.h"

#include "support/options.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

// Symbols and strings of a hostile file may overlap; this bounds the work, not real programs.
constexpr uint64_t kMaxSymbols = 1u << 24;
constexpr uint64_t kMaxChain = 1u << 24;
constexpr size_t kMaxName = 1u << 16; // longer ones count as nameless

uint32_t word_at(std::span<const uint8_t> bytes, uint64_t index) {
  uint32_t value = 0;
  if (index < bytes.size() / 4)
    std::memcpy(&value, bytes.data() + index * 4, 4);
  return value;
}

// Higher is better when several symbols have one name.
int preference(const ElfSymbol& symbol) {
  return (symbol.is_function() ? 8 : 0) + (symbol.hidden_version ? 0 : 4) +
         (symbol.bind != STB_LOCAL ? 2 : 0) + (symbol.dynamic ? 1 : 0);
}

// Compilers append these to parts and clones of a function; people never mean them.
bool is_clone(std::string_view name) { return name.find('.') != std::string_view::npos; }

size_t shared_prefix(std::string_view a, std::string_view b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n])
    ++n;
  return n;
}

} // namespace

bool ElfSymbol::is_ifunc() const { return type == STT_GNU_IFUNC; }
bool ElfSymbol::is_function() const { return type == STT_FUNC || type == STT_GNU_IFUNC; }

void ElfView::read_symbol_tables() {
  for (const ElfSection& section : sections_) {
    SymbolTable* table = section.type == SHT_SYMTAB   ? &symtab_
                         : section.type == SHT_DYNSYM ? &dynsym_
                                                      : nullptr;
    if (!table || section.link >= sections_.size() || section.entry_size != sizeof(Elf64_Sym))
      continue;
    const ElfSection& strings = sections_[section.link];
    const uint64_t count = section.size / sizeof(Elf64_Sym);
    if (count > kMaxSymbols || at_offset(section.offset, section.size).empty() ||
        at_offset(strings.offset, strings.size).empty())
      continue;
    *table = {bytes_, section.offset, count, strings.offset, strings.size, 0};
  }
  if (dynsym_.count == 0) {
    const auto symbols = dynamic_value(DT_SYMTAB), strings = dynamic_value(DT_STRTAB);
    const auto strings_size = dynamic_value(DT_STRSZ);
    const uint64_t count = count_dynamic_symbols();
    if (symbols && strings && strings_size && count != 0 && count <= kMaxSymbols &&
        !at(*symbols, count * sizeof(Elf64_Sym)).empty() && !at(*strings, *strings_size).empty())
      dynsym_ = {bytes_, *offset_of_vaddr(*symbols), count, *offset_of_vaddr(*strings), *strings_size, 0};
  }
  const auto versions = dynamic_value(DT_VERSYM);
  if (versions && dynsym_.count != 0 && !at(*versions, dynsym_.count * 2).empty())
    dynsym_.versions = *offset_of_vaddr(*versions);
}

uint64_t ElfView::count_dynamic_symbols() const {
  if (const auto hash = dynamic_value(DT_HASH)) {
    const auto head = at(*hash, 8);
    if (!head.empty())
      return word_at(head, 1); // nchain = number of symbols
  }
  if (const auto hash = dynamic_value(DT_GNU_HASH))
    return count_gnu_hash(*hash);
  return 0;
}

// The table has no count: the last symbol is the end of the chain of the highest bucket.
uint64_t ElfView::count_gnu_hash(uint64_t vaddr) const {
  const auto head = at(vaddr, 16);
  if (head.empty())
    return 0;
  const uint64_t buckets = word_at(head, 0), first = word_at(head, 1), bloom = word_at(head, 2);
  const uint64_t buckets_at = vaddr + 16 + bloom * 8;
  const auto bucket_words = at(buckets_at, buckets * 4);
  if (buckets == 0 || bucket_words.empty())
    return first;
  uint64_t last = 0;
  for (uint64_t i = 0; i < buckets; ++i)
    last = std::max<uint64_t>(last, word_at(bucket_words, i));
  if (last < first)
    return first;
  const uint64_t chains = buckets_at + buckets * 4;
  for (uint64_t i = last - first; i < kMaxChain; ++i) {
    const auto link = at(chains + i * 4, 4);
    if (link.empty())
      return 0;
    if (word_at(link, 0) & 1)
      return first + i + 1;
  }
  return 0;
}

std::optional<ElfSymbol> ElfView::symbol(const SymbolTable& table, uint64_t index) const {
  if (index >= table.count)
    return std::nullopt;
  // The table was checked to lie in its file.
  Elf64_Sym raw;
  std::memcpy(&raw, &table.file[table.offset + index * sizeof raw], sizeof raw);
  ElfSymbol result;
  const auto strings = table.file.subspan(table.strings, table.strings_size);
  if (raw.st_name < strings.size()) {
    const auto* name = reinterpret_cast<const char*>(&strings[raw.st_name]);
    const size_t length = strnlen(name, std::min<size_t>(strings.size() - raw.st_name, kMaxName));
    if (length < kMaxName)
      result.name = {name, length};
  }
  result.value = raw.st_value;
  result.size = raw.st_size;
  result.type = ELF64_ST_TYPE(raw.st_info);
  result.bind = ELF64_ST_BIND(raw.st_info);
  result.section = raw.st_shndx;
  result.dynamic = &table == &dynsym_;
  if (table.versions != 0) {
    const auto version = at_offset(table.versions + index * 2, 2);
    result.hidden_version = !version.empty() && (version[1] & 0x80);
  }
  return result;
}

// glibc's and lld's own description: header (buckets, first symbol, bloom words, shift), bloom filter,
// buckets, then one hash per symbol whose lowest bit ends a chain.
bool ElfView::walk_gnu_hash(std::string_view name, const std::function<void(uint64_t)>& visit) const {
  const auto vaddr = dynamic_value(DT_GNU_HASH);
  const auto head = vaddr ? at(*vaddr, 16) : std::span<const uint8_t>();
  if (head.empty())
    return false;
  const uint64_t count = word_at(head, 0), first = word_at(head, 1), bloom = word_at(head, 2);
  const uint64_t buckets_at = *vaddr + 16 + bloom * 8;
  const auto buckets = at(buckets_at, count * 4);
  if (count == 0 || buckets.empty())
    return false;
  uint32_t hash = 5381;
  for (const char c : name)
    hash = hash * 33 + static_cast<uint8_t>(c);
  for (uint64_t i = word_at(buckets, hash % count); i >= first && i < dynsym_.count; ++i) {
    const auto link = at(buckets_at + count * 4 + (i - first) * 4, 4);
    if (link.empty())
      break;
    if ((word_at(link, 0) | 1) == (hash | 1))
      visit(i);
    if (word_at(link, 0) & 1)
      break;
  }
  return true;
}

// gABI: bucket count, chain count, buckets, chains.
bool ElfView::walk_hash(std::string_view name, const std::function<void(uint64_t)>& visit) const {
  const auto vaddr = dynamic_value(DT_HASH);
  const auto head = vaddr ? at(*vaddr, 8) : std::span<const uint8_t>();
  if (head.empty())
    return false;
  const uint64_t count = word_at(head, 0), chains = word_at(head, 1);
  const auto words = at(*vaddr, (2 + count + chains) * 4);
  if (count == 0 || words.empty())
    return false;
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<uint8_t>(c);
    hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
  }
  uint64_t steps = 0;
  for (uint64_t i = word_at(words, 2 + hash % count); i != 0 && i < chains && steps < chains; ++steps) {
    visit(i);
    i = word_at(words, 2 + count + i);
  }
  return true;
}

std::optional<ElfSymbol> ElfView::find_dynamic_symbol(std::string_view name) const {
  std::optional<ElfSymbol> best;
  const auto consider = [&](uint64_t index) {
    const auto entry = symbol(dynsym_, index);
    if (entry && entry->is_defined() && entry->name == name && (!best || preference(*entry) > preference(*best)))
      best = entry;
  };
  if (!walk_gnu_hash(name, consider) && !walk_hash(name, consider))
    for (uint64_t i = 1; i < dynsym_.count; ++i)
      consider(i);
  return best;
}

void ElfView::for_each_symbol(const std::function<bool(const ElfSymbol&)>& visit) const {
  for (const SymbolTable* table : {&symtab_, &debug_symtab_, &dynsym_})
    for (uint64_t i = 1; i < table->count; ++i) {
      const auto entry = symbol(*table, i);
      if (entry && !entry->name.empty() && !visit(*entry))
        return;
    }
}

std::optional<ElfSymbol> ElfView::find_symbol(std::string_view name) const {
  if (symtab_.count == 0 && debug_symtab_.count == 0)
    return find_dynamic_symbol(name);
  std::optional<ElfSymbol> best;
  for_each_symbol([&](const ElfSymbol& entry) {
    if (entry.is_defined() && entry.name == name &&
        (!best || preference(entry) > preference(*best)))
      best = entry;
    return true;
  });
  return best;
}

Result<ElfSymbol> ElfView::find_function(std::string_view name) const {
  std::optional<ElfSymbol> found, other;
  bool imported = false;
  for_each_symbol([&](const ElfSymbol& entry) {
    if (entry.name != name)
      return true;
    const bool in_code = entry.is_defined() && is_code(entry.value);
    if (in_code && (entry.is_function() || entry.type == STT_NOTYPE)) {
      if (!found || preference(entry) > preference(*found))
        found = entry;
    } else if (entry.is_defined()) {
      other = entry;
    } else {
      imported = true;
    }
    return true;
  });
  if (found)
    return *found;
  Diagnostic diagnostic =
      make_error(Code::kSymbolNotFound, "no function '" + std::string(name) + "'");
  if (other)
    diagnostic.notes.push_back("'" + std::string(name) + "' is not code here");
  else if (imported)
    diagnostic.notes.push_back("'" + std::string(name) +
                               "' is imported by this file; give the library that defines it");
  else if (symtab_.count == 0 && dynsym_.count == 0)
    diagnostic.notes.push_back("the file has no symbols at all");
  std::string list;
  for (const std::string& near : near_names(name))
    list += (list.empty() ? "" : ", ") + near;
  if (!list.empty())
    diagnostic.hints.push_back("nearest names: " + list);
  return Failure(std::move(diagnostic));
}

std::optional<ElfSymbol> ElfView::function_at(uint64_t vaddr) const {
  std::optional<ElfSymbol> inside, before;
  for_each_symbol([&](const ElfSymbol& entry) {
    if (!entry.is_defined() || !entry.is_function() || entry.value > vaddr)
      return true;
    const uint64_t distance = vaddr - entry.value;
    if (distance < entry.size || (distance == 0 && entry.size == 0)) {
      if (!inside || preference(entry) > preference(*inside))
        inside = entry;
    } else if (entry.size == 0 && (!before || entry.value > before->value)) {
      before = entry;
    }
    return true;
  });
  return inside ? inside : before;
}

std::vector<std::string> ElfView::near_names(std::string_view name, size_t limit) const {
  std::vector<std::string_view> names;
  for_each_symbol([&](const ElfSymbol& entry) {
    if (entry.is_defined() && entry.is_function() && !is_clone(entry.name) &&
        entry.name.size() < 256)
      names.push_back(entry.name);
    return true;
  });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<std::string> result;
  if (const std::string close = nearest(name, names); !close.empty())
    result.push_back(close);
  std::stable_sort(names.begin(), names.end(), [&](std::string_view a, std::string_view b) {
    const size_t pa = shared_prefix(a, name), pb = shared_prefix(b, name);
    return pa != pb ? pa > pb : a.size() < b.size();
  });
  for (const std::string_view candidate : names) {
    if (result.size() >= limit || shared_prefix(candidate, name) < std::min<size_t>(3, name.size()))
      break;
    if (std::find(result.begin(), result.end(), candidate) == result.end())
      result.emplace_back(candidate);
  }
  return result;
}

} // namespace bpfaot::loader
