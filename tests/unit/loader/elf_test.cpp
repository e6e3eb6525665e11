// SPDX-License-Identifier: MIT
#include "loader/elf.h"

#include "support/files.h"
#include "support/json.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <random>

extern "C" __attribute__((noinline, visibility("default"))) int elf_test_landmark(int x) { return x * 3 + 1; }

namespace bpfaot::loader {
namespace {

std::vector<uint8_t> own_file() { return *read_file("/proc/self/exe"); }

std::vector<uint8_t> libc_file() {
  Dl_info info{};
  EXPECT_NE(dladdr(reinterpret_cast<void*>(&strlen), &info), 0);
  return *read_file(info.dli_fname);
}

uint64_t own_bias() {
  uint64_t bias = 0;
  dl_iterate_phdr([](dl_phdr_info* info, size_t, void* out) {
    *static_cast<uint64_t*>(out) = info->dlpi_addr;
    return 1;
  }, &bias);
  return bias;
}

TEST(Elf, FindsAFunctionWhereItIsLoaded) {
  const auto bytes = own_file();
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  const auto symbol = elf->find_function("elf_test_landmark");
  ASSERT_TRUE(symbol) << symbol.error().message;
  EXPECT_EQ(symbol->value + own_bias(), reinterpret_cast<uint64_t>(&elf_test_landmark));
  EXPECT_GT(symbol->size, 0u);
  const auto code = elf->at(symbol->value, symbol->size);
  ASSERT_EQ(code.size(), symbol->size);
  EXPECT_EQ(std::memcmp(code.data(), reinterpret_cast<const void*>(&elf_test_landmark), code.size()), 0);
  const auto around = elf->function_at(symbol->value + symbol->size - 1);
  ASSERT_TRUE(around);
  EXPECT_EQ(around->name, "elf_test_landmark");
}

TEST(Elf, OffsetsAndAddressesAreInverse) {
  const auto bytes = own_file();
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  const uint64_t value = elf->find_function("elf_test_landmark")->value;
  const auto offset = elf->offset_of_vaddr(value);
  ASSERT_TRUE(offset);
  EXPECT_EQ(elf->vaddr_of_offset(*offset), value);
  EXPECT_TRUE(elf->is_code(value));
  EXPECT_FALSE(elf->offset_of_vaddr(UINT64_MAX));
  EXPECT_FALSE(elf->vaddr_of_offset(UINT64_MAX));
  EXPECT_TRUE(elf->at(UINT64_MAX - 3, 8).empty());
}

TEST(Elf, NearNamesAreSuggested) {
  const auto bytes = libc_file();
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  const auto missing = elf->find_function("mallocc");
  ASSERT_FALSE(missing);
  EXPECT_EQ(code_text(missing.error().code), "symbol-not-found");
  ASSERT_FALSE(missing.error().hints.empty());
  EXPECT_NE(missing.error().hints[0].find("malloc"), std::string::npos);
}

TEST(Elf, ReadsWhatALibraryIs) {
  const auto bytes = libc_file();
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  EXPECT_TRUE(elf->soname().starts_with("libc.so"));
  EXPECT_EQ(elf->build_id().size(), 40u);
  EXPECT_TRUE(elf->is_position_independent());
  EXPECT_TRUE(elf->find_function("malloc"));
}

// Without section headers the tables come from the dynamic section, counted by the hash table.
TEST(Elf, FindsDynamicSymbolsWithoutSections) {
  auto bytes = libc_file();
  const uint64_t with_sections = ElfView::open(bytes)->dynamic_symbol_count();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.e_shoff = 0;
  header.e_shnum = 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  EXPECT_TRUE(elf->sections().empty());
  EXPECT_EQ(elf->dynamic_symbol_count(), with_sections);
  EXPECT_TRUE(elf->find_function("malloc"));
}

TEST(Elf, AnImportIsSaidToBeOne) {
  const auto bytes = own_file();
  const auto elf = ElfView::open(bytes);
  ASSERT_TRUE(elf);
  const auto missing = elf->find_function("dl_iterate_phdr");
  if (missing)
    GTEST_SKIP() << "this test program is linked statically";
  ASSERT_FALSE(missing.error().notes.empty());
  EXPECT_NE(missing.error().notes[0].find("imported"), std::string::npos);
}

void use_everything(std::span<const uint8_t> bytes) {
  const auto elf = ElfView::open(bytes);
  if (!elf)
    return;
  uint64_t sum = elf->build_id().size() + elf->interpreter().size() + elf->soname().size() + elf->load_base();
  for (const auto name : elf->needed())
    sum += name.size();
  elf->for_each_symbol([&](const ElfSymbol& symbol) { return (sum += symbol.name.size()) < 1u << 22; });
  elf->for_each_note([&](const ElfNote& note) { return (sum += note.desc.size()) != 0; });
  (void)elf->function_at(sum);
}

TEST(Elf, GarbageNeverCrashes) {
  std::mt19937 random(3);
  const auto good = libc_file();
  std::vector<uint8_t> small(good.begin(), good.begin() + 4096);
  for (int i = 0; i < 500; ++i) {
    auto bytes = small;
    for (int n = 0; n < 8; ++n)
      bytes[random() % 1024] = static_cast<uint8_t>(random());
    std::memcpy(bytes.data(), good.data(), 6);
    bytes.resize(random() % bytes.size());
    use_everything(bytes);
  }
  auto bytes = own_file();
  for (int i = 0; i < 30; ++i) {
    auto copy = bytes;
    for (int n = 0; n < 4; ++n)
      copy[random() % (i % 2 ? 0x400 : copy.size())] = static_cast<uint8_t>(random());
    use_everything(copy);
  }
}

} // namespace
} // namespace bpfaot::loader
