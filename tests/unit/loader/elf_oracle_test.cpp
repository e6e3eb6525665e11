// SPDX-License-Identifier: MIT
//
// The loader's ELF reader against libelf, over the binaries of this system and the C libraries of the
// other machines: the same symbols, notes, dynamic entries and build-ids. The loader itself does not
// use libelf (tests/lint/loader.sh).
#include "loader/debug_file.h"
#include "loader/elf.h"
#include "support/files.h"

#include <dlfcn.h>
#include <elf.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <libelf.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kLargest = 24u << 20;
constexpr size_t kPerFolder = 60; // files looked at in each folder

// Evenly spread over each folder, so that the choice is the same each time.
std::vector<std::string> sample() {
  std::vector<std::string> chosen;
  for (const char* folder : {"/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                             "/usr/aarch64-linux-gnu/lib", "/usr/riscv64-linux-gnu/lib", "/usr/lib/debug/.build-id/00"}) {
    std::set<std::string> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      std::error_code bad;
      const uint64_t size = std::filesystem::file_size(entry.path(), bad);
      if (!bad && std::filesystem::is_regular_file(entry.path(), bad) && size > 64 && size < kLargest)
        files.insert(entry.path());
    }
    size_t i = 0;
    const size_t step = std::max<size_t>(1, files.size() / kPerFolder);
    for (const std::string& file : files)
      if (i++ % step == 0 || file.find("/libc.so") != std::string::npos || file.find("/ld-") != std::string::npos)
        chosen.push_back(file);
  }
  return chosen;
}

struct Symbol {
  std::string name;
  uint64_t value, size;
  unsigned type, bind, section;
  auto operator<=>(const Symbol&) const = default;
};

struct Oracle {
  explicit Oracle(const std::vector<uint8_t>& bytes) {
    elf_version(EV_CURRENT);
    // libelf takes a writable pointer and does not write.
    elf = elf_memory(reinterpret_cast<char*>(const_cast<uint8_t*>(bytes.data())), bytes.size());
  }
  ~Oracle() { elf_end(elf); }

  std::vector<Symbol> symbols(uint32_t type) const {
    std::vector<Symbol> list;
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
      GElf_Shdr header;
      Elf_Data* data = nullptr;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != type || (data = elf_getdata(section, nullptr)) == nullptr)
        continue;
      for (int i = 1; i < static_cast<int>(header.sh_size / header.sh_entsize); ++i) {
        GElf_Sym symbol;
        const char* name = gelf_getsym(data, i, &symbol) != nullptr ? elf_strptr(elf, header.sh_link, symbol.st_name) : nullptr;
        if (name != nullptr && *name != '\0')
          list.push_back({name, symbol.st_value, symbol.st_size, GELF_ST_TYPE(symbol.st_info),
                          GELF_ST_BIND(symbol.st_info), symbol.st_shndx});
      }
    }
    return list;
  }

  std::vector<std::pair<int64_t, uint64_t>> dynamic() const {
    std::vector<std::pair<int64_t, uint64_t>> list;
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_DYNAMIC)
        continue;
      Elf_Data* data = elf_getdata(section, nullptr);
      GElf_Dyn entry;
      for (int i = 0; gelf_getdyn(data, i, &entry) != nullptr && entry.d_tag != DT_NULL; ++i)
        list.emplace_back(entry.d_tag, entry.d_un.d_val);
    }
    return list;
  }

  // name, type, bytes
  std::vector<std::tuple<std::string, uint32_t, std::string>> notes() const {
    std::vector<std::tuple<std::string, uint32_t, std::string>> list;
    size_t count = 0;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr || header.p_type != PT_NOTE)
        continue;
      Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<int64_t>(header.p_offset), header.p_filesz,
                                            header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
      GElf_Nhdr note;
      size_t name = 0, desc = 0;
      for (size_t at = 0; data != nullptr && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0;) {
        const char* bytes = static_cast<const char*>(data->d_buf);
        list.emplace_back(std::string(bytes + name, strnlen(bytes + name, note.n_namesz)), note.n_type,
                          std::string(bytes + desc, note.n_descsz));
      }
    }
    return list;
  }

  Elf* elf;
};

TEST(ElfOracle, says_the_same_of_the_binaries_of_this_system) {
  size_t files = 0, symbols = 0, notes = 0, entries = 0, lookups = 0;
  std::set<uint16_t> machines;
  for (const std::string& path : sample()) {
    const auto bytes = read_file(path, kLargest);
    if (!bytes || bytes->size() < 64 || std::memcmp(bytes->data(), ELFMAG, SELFMAG) != 0 || (*bytes)[EI_CLASS] != ELFCLASS64)
      continue;
    SCOPED_TRACE(path);
    const Oracle oracle(*bytes);
    ASSERT_NE(oracle.elf, nullptr);
    const auto elf = ElfView::open(*bytes);
    ASSERT_TRUE(elf) << elf.error().message;
    ++files;
    machines.insert(elf->machine());

    std::vector<Symbol> ours;
    elf->for_each_symbol([&](const ElfSymbol& one) {
      ours.push_back({std::string(one.name), one.value, one.size, one.type, one.bind, one.section});
      return true;
    });
    std::vector<Symbol> theirs = oracle.symbols(SHT_SYMTAB);
    const std::vector<Symbol> dynamic = oracle.symbols(SHT_DYNSYM);
    theirs.insert(theirs.end(), dynamic.begin(), dynamic.end());
    EXPECT_EQ(ours, theirs);
    symbols += ours.size();

    std::vector<std::pair<int64_t, uint64_t>> tags;
    for (const ElfDynamic& entry : elf->dynamic())
      tags.emplace_back(entry.tag, entry.value);
    const bool is_debug_file = path.find("/debug/") != std::string::npos; // its dynamic section has no bytes
    if (!is_debug_file) {
      EXPECT_EQ(tags, oracle.dynamic());
    }
    entries += tags.size();

    std::vector<std::tuple<std::string, uint32_t, std::string>> found;
    elf->for_each_note([&](const ElfNote& note) {
      found.emplace_back(std::string(note.name), note.type, std::string(note.desc.begin(), note.desc.end()));
      return true;
    });
    const auto expected = oracle.notes();
    if (!expected.empty()) {
      EXPECT_EQ(found, expected);
    }
    notes += found.size();

    // The hash tables lead to each dynamic symbol, and to nothing that is not there.
    std::map<std::string, std::set<uint64_t>> values;
    for (const Symbol& one : dynamic)
      if (one.section != SHN_UNDEF)
        values[one.name].insert(one.value);
    size_t checked = 0;
    for (const auto& [name, wanted] : values) {
      const auto one = elf->find_dynamic_symbol(name);
      ASSERT_TRUE(one) << name;
      EXPECT_TRUE(wanted.contains(one->value)) << name;
      if (++checked == 300)
        break;
    }
    EXPECT_FALSE(elf->find_dynamic_symbol("no_such_symbol_anywhere"));
    lookups += checked;
  }
  // It did look at something.
  EXPECT_GT(files, 50u);
  EXPECT_GT(symbols, 10'000u);
  EXPECT_GT(notes, files);
  EXPECT_GT(entries, 1000u);
  EXPECT_GT(lookups, 1000u);
  EXPECT_GE(machines.size(), 3u);
  RecordProperty("files", static_cast<int>(files));
  std::printf("%zu files of %zu machines, %zu symbols, %zu notes, %zu dynamic entries, %zu look-ups\n", files,
              machines.size(), symbols, notes, entries, lookups);
}

// Without section headers the dynamic section must lead to the same symbols.
TEST(ElfOracle, dynamic_symbols_are_counted_by_hash_tables_as_sections_say) {
  size_t compared = 0;
  for (const std::string& path : sample()) {
    auto bytes = read_file(path, kLargest);
    if (!bytes || bytes->size() < 64 || std::memcmp(bytes->data(), ELFMAG, SELFMAG) != 0 || (*bytes)[EI_CLASS] != ELFCLASS64 ||
        path.find("/debug/") != std::string::npos)
      continue;
    SCOPED_TRACE(path);
    const auto names = [](const ElfView& elf) {
      std::vector<std::string> list;
      elf.for_each_symbol([&](const ElfSymbol& one) {
        if (one.dynamic && one.is_defined())
          list.emplace_back(one.name);
        return true;
      });
      return list;
    };
    const auto with = ElfView::open(*bytes);
    ASSERT_TRUE(with);
    const std::vector<std::string> expected = names(*with);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes->data(), sizeof header);
    header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
    std::memcpy(bytes->data(), &header, sizeof header);
    const auto without = ElfView::open(*bytes);
    ASSERT_TRUE(without);
    if (!without->dynamic_value(DT_GNU_HASH) && !without->dynamic_value(DT_HASH))
      continue;
    EXPECT_EQ(names(*without), expected);
    ++compared;
  }
  EXPECT_GT(compared, 30u);
}

TEST(ElfOracle, the_checksum_is_that_of_zlib) {
  const std::string text = "123456789";
  EXPECT_EQ(crc32({reinterpret_cast<const uint8_t*>(text.data()), text.size()}), 0xcbf43926u);
  EXPECT_EQ(crc32({}), 0u);
}

// The C library's debug file: found by build-id, and its static functions lie where the library has code.
TEST(DebugFile, is_found_by_build_id_and_adds_static_functions) {
  Dl_info info{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&strlen), &info), 0);
  const std::vector<uint8_t> bytes = *read_file(info.dli_fname);
  auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  if (elf->has_symtab())
    GTEST_SKIP() << "the C library is not stripped here";
  const auto debug_bytes = find_debug_file(*elf, info.dli_fname, {""});
  if (!debug_bytes)
    GTEST_SKIP() << "no debug symbols of the C library are installed";
  const auto debug = ElfView::open(*debug_bytes);
  ASSERT_TRUE(debug);
  EXPECT_EQ(debug->build_id(), elf->build_id());
  EXPECT_FALSE(elf->find_function("_int_malloc"));
  const uint64_t malloc_value = elf->find_function("malloc")->value;
  elf->add_symbols_of(*debug);
  const auto found = elf->find_function("_int_malloc");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(elf->is_code(found->value));
  EXPECT_EQ(elf->find_function("malloc")->value, malloc_value);
}

class DebugLink : public testing::Test {
protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("bpfaot-debug-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / ".debug");
    run("printf 'static int __attribute__((noinline)) hidden_one(int x) { return x * 3; }\\n"
        "int shown(int x) { return hidden_one(x) + 1; }\\n' | gcc -x c -shared -fPIC -Wl,--build-id=none -o lib.so -");
    run("objcopy --only-keep-debug lib.so .debug/lib.debug && strip -x --strip-debug lib.so -o kept.so");
    run("strip lib.so && objcopy --add-gnu-debuglink=.debug/lib.debug lib.so");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void run(const std::string& command) {
    const std::string line = "cd '" + folder_.string() + "' && { " + command + "; }";
    ASSERT_EQ(std::system(line.c_str()), 0) << command;
  }
  std::filesystem::path folder_;
};

TEST_F(DebugLink, leads_to_the_file_with_the_right_checksum_only) {
  const std::string path = folder_ / "lib.so";
  const std::vector<uint8_t> bytes = *read_file(path);
  auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  ASSERT_TRUE(elf->debug_link());
  EXPECT_EQ(elf->debug_link()->file, "lib.debug");
  EXPECT_FALSE(elf->find_function("hidden_one"));
  const auto debug_bytes = find_debug_file(*elf, path, {""});
  ASSERT_TRUE(debug_bytes);
  const auto debug = ElfView::open(*debug_bytes);
  elf->add_symbols_of(*debug);
  EXPECT_TRUE(elf->find_function("hidden_one"));
  // Another file of that name is not its debug file.
  run("printf x >> .debug/lib.debug");
  EXPECT_FALSE(find_debug_file(*elf, path, {""}));
}

} // namespace
} // namespace bpfaot::loader
