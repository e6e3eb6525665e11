// SPDX-License-Identifier: MIT
//
// Damaged objects: cut anywhere, bytes changed anywhere. Each is refused with a code of this room
// or read; what is read must be safe to link and walk. Run under ASan this is where errors show.
#include "tests/unit/bpf/objects.h"

#include <cstring>
#include <random>
#include <set>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

// Reads, and touches everything that a later stage would touch.
Code use(std::vector<uint8_t> bytes) {
  auto result = read_object(std::move(bytes), "damaged");
  if (!result)
    return result.error().code;
  const auto object = std::make_shared<const Object>(*std::move(result));
  for (size_t i = 0; i < object->programs.size(); ++i)
    if (const auto program = link_program(object, i))
      for (const ProgramInsn& item : (*program)->insns)
        (void)print(item.insn);
  for (uint32_t id = 0; id < object->btf.type_count(); ++id) {
    (void)object->btf.size_of(id);
    (void)object->btf.name_of(id);
    (void)object->btf.find_member(id, "nothing");
  }
  for (const CoreRecord& record : object->ext.core)
    (void)describe_core(object->btf, record);
  return Code::kInternal;
}

} // namespace

TEST(Hostile, ObjectsCutAnywhereAreRefusedAsTruncated) {
  const auto bytes = object_bytes("features");
  const auto object = read(bytes, "features");
  std::set<size_t> cuts;
  for (size_t at = 0; at < bytes.size(); at += 64)
    cuts.insert(at);
  for (const ElfSection& section : object->elf.sections)
    if (!section.data.empty()) {
      const auto begin = static_cast<size_t>(section.data.data() - object->bytes.data());
      cuts.insert(
          {begin, begin + 1, begin + section.data.size() / 2, begin + section.data.size() - 1});
    }
  cuts.insert({1, 3, 4, 15, 16, 63, bytes.size() - 1});
  for (const size_t cut : cuts) {
    const Code code = use({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut)});
    EXPECT_EQ(code, cut < 4 ? Code::kNotElf : Code::kElfTruncated)
        << "cut at " << cut << ": " << code_text(code);
  }
}

TEST(Hostile, WrongKindsOfFilesHaveCodesOfTheirOwn) {
  const auto good = object_bytes("features");
  const auto with = [&](size_t at, std::initializer_list<uint8_t> patch) {
    auto bytes = good;
    std::copy(patch.begin(), patch.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
    return use(bytes);
  };
  EXPECT_EQ(use({}), Code::kNotElf);
  EXPECT_EQ(use({'h', 'e', 'l', 'l', 'o'}), Code::kNotElf);
  EXPECT_EQ(with(0, {0}), Code::kNotElf);
  EXPECT_EQ(with(18, {62, 0}), Code::kWrongMachine);
  EXPECT_EQ(with(4, {1}), Code::kWrongMachine);
  EXPECT_EQ(with(16, {3, 0}), Code::kElfMalformed) << "a shared object";
  EXPECT_EQ(use(object_bytes("big_endian")), Code::kBigEndian);
  EXPECT_EQ(with(40, {0, 0, 0, 0, 0, 0, 0, 0}), Code::kElfMalformed) << "no sections";
  EXPECT_EQ(with(40, {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), Code::kElfTruncated)
      << "offset that wraps";
}

TEST(Hostile, ChangedBytesNeverCrash) {
  for (const char* name : {"features", "legacy", "plain"}) {
    const auto good = object_bytes(name);
    std::mt19937 random(1);
    for (int round = 0; round < 1500; ++round) {
      auto bytes = good;
      for (unsigned n = 1 + random() % 3; n-- > 0;) {
        const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, static_cast<uint8_t>(random())};
        bytes[random() % bytes.size()] = values[random() % 6];
      }
      use(std::move(bytes));
    }
  }
}

// The places that describe other places: every field of every section header, symbol and
// relocation.
TEST(Hostile, ExtremeValuesInStructuresNeverCrash) {
  const auto good = object_bytes("features");
  const auto object = read(good, "features");
  uint64_t table = 0;
  std::memcpy(&table, &good[40], 8);
  std::vector<size_t> fields;
  for (size_t at = table; at + 4 <= table + object->elf.sections.size() * 64; at += 4)
    fields.push_back(at);
  for (const ElfSection& section : object->elf.sections)
    if (section.type == 2 || section.name == ".BTF.ext" || section.name == ".rel.maps" ||
        section.name == ".rel.text") {
      const auto begin = static_cast<size_t>(section.data.data() - object->bytes.data());
      for (size_t at = 0; at + 4 <= section.data.size(); at += 4)
        fields.push_back(begin + at);
    }
  for (const size_t at : fields)
    for (const uint32_t value : {0u, 1u, 7u, 0x7fffffffu, 0x80000000u, 0xfffffff8u, 0xffffffffu}) {
      auto bytes = good;
      std::memcpy(&bytes[at], &value, 4);
      use(std::move(bytes));
    }
}
