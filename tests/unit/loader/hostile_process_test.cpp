// SPDX-License-Identifier: MIT
//
// Processes whose files lie. Each case was found by the fuzzer of plans.
#include "loader/plan.h"
#include "support/files.h"
#include "targets/target.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <unistd.h>

extern "C" __attribute__((noinline, visibility("default"))) int hostile_landmark(int x) {
  volatile int sum = x;
  for (int i = 0; i < x; ++i)
    sum = sum + i;
  return sum;
}

namespace bpfaot::loader {
namespace {

class OwnMemory : public AddressSpace {
public:
  int pid() const override { return getpid(); }
  Status read(uint64_t address, std::span<uint8_t> out) override {
    std::memcpy(out.data(), reinterpret_cast<const void*>(address), out.size());
    return {};
  }
  Status write(uint64_t, std::span<const uint8_t>) override { return fail(Code::kProcessMemory, "no"); }
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall>, std::span<const SharedFile>) override {
    return fail(Code::kProcessMemory, "no");
  }
};

// This program's file, with the symbol of the landmark changed.
std::vector<uint8_t> own_file(const std::function<void(Elf64_Sym&)>& change) {
  std::vector<uint8_t> bytes = *read_file("/proc/self/exe");
  const auto elf = ElfView::open(bytes);
  const uint64_t value = elf->find_function("hostile_landmark")->value;
  for (const ElfSection& section : elf->sections())
    if (section.type == SHT_SYMTAB || section.type == SHT_DYNSYM)
      for (uint64_t at = section.offset; at < section.offset + section.size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, &bytes[at], sizeof symbol);
        if (symbol.st_value != value || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC)
          continue;
        change(symbol);
        std::memcpy(&bytes[at], &symbol, sizeof symbol);
      }
  return bytes;
}

class HostileProcess : public testing::Test {
protected:
  Plan plan(std::vector<uint8_t> file) {
    OwnMemory memory;
    Modules modules = Modules::make(getpid(), *read_maps(getpid()), [&](const MapsEntry&) {
      Result<FileCopy> copy = make_room(file.size());
      if (copy)
        std::copy(file.begin(), file.end(), copy->bytes.begin());
      return copy;
    });
    char path[4096] = {};
    EXPECT_GT(readlink("/proc/self/exe", path, sizeof path - 1), 0);
    ProbeWish wish;
    wish.spec = {"program", false, path, "hostile_landmark", 0};
    return make_plan(memory, modules, *targets::find_patcher(targets::host().e_machine), {wish});
  }
  void SetUp() override {
    if (targets::find_patcher(targets::host().e_machine) == nullptr)
      GTEST_SKIP() << "code of this machine cannot be patched";
  }
};

TEST_F(HostileProcess, an_honest_file_is_planned) {
  const Plan made = plan(own_file([](Elf64_Sym&) {}));
  EXPECT_EQ(made.refused(), 0u) << made.rows[0].refusal->message;
}

// The loop over a function's neighbours never came to an end.
TEST_F(HostileProcess, a_function_that_reaches_around_the_address_space_ends_the_search) {
  const Plan made = plan(own_file([](Elf64_Sym& symbol) { symbol.st_size = UINT64_MAX - 9; }));
  ASSERT_EQ(made.rows.size(), 1u);
  EXPECT_LE(made.sites.size(), 1u); // the unwind table may still say how long it is
}

TEST_F(HostileProcess, a_function_longer_than_its_segment_has_no_known_extent) {
  const std::vector<uint8_t> file = own_file([](Elf64_Sym& symbol) { symbol.st_size = 1u << 30; });
  const auto elf = ElfView::open(file);
  const Module module("file", Mapping(), *elf, 0, 0, 0);
  const uint64_t value = elf->find_function("hostile_landmark")->value;
  const CodeSymbol* around = module.symbol_around(value);
  EXPECT_TRUE(around == nullptr || around->size < (1u << 30));
}

TEST(HostileElf, segments_around_the_address_space_are_refused) {
  std::vector<uint8_t> bytes = *read_file("/proc/self/exe");
  Elf64_Ehdr head;
  std::memcpy(&head, bytes.data(), sizeof head);
  for (int i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, &bytes[head.e_phoff + i * sizeof segment], sizeof segment);
    if (segment.p_type != PT_LOAD)
      continue;
    segment.p_vaddr = UINT64_MAX - 4095;
    segment.p_memsz = 8192;
    std::memcpy(&bytes[head.e_phoff + i * sizeof segment], &segment, sizeof segment);
  }
  const auto elf = ElfView::open(bytes);
  ASSERT_FALSE(elf);
  EXPECT_EQ(elf.error().code, Code::kElfFormat);
}

} // namespace
} // namespace bpfaot::loader
