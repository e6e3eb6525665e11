// SPDX-License-Identifier: MIT
//
// The rules by which several objects become one, and files that no linker should see.
#include "bpf/link_objects.h"
#include "tests/unit/bpf/objects.h"

#include <cstring>
#include <elf.h>
#include <filesystem>

using namespace bpfaot;
using namespace bpfaot::bpf;
using namespace bpfaot::bpf::test;

namespace {

std::string part(const std::string& name) {
  return std::string(BPF_OBJECTS) + "/part_" + name + ".bpf.o";
}

std::shared_ptr<const Object> linked(const std::vector<std::string>& names) {
  std::vector<std::string> paths;
  for (const std::string& name : names)
    paths.push_back(part(name));
  auto bytes = link_objects(paths);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return read(bytes ? *std::move(bytes) : std::vector<uint8_t>(), "linked");
}

Diagnostic conflict(const std::vector<std::string>& names) {
  std::vector<std::string> paths;
  for (const std::string& name : names)
    paths.push_back(part(name));
  const auto bytes = link_objects(paths);
  EXPECT_FALSE(bytes);
  return bytes ? Diagnostic{} : bytes.error();
}

bool mentions(const Diagnostic& diagnostic, std::string_view text) {
  return diagnostic.message.find(text) != std::string::npos;
}

const Function* function(const Program& program, std::string_view name) {
  for (const Function& one : program.functions)
    if (one.name == name)
      return &one;
  return nullptr;
}

int32_t initial_number(const Object& object, std::string_view name) {
  for (const Variable& variable : object.variables)
    if (variable.name == name) {
      int32_t value = 0;
      std::memcpy(&value, object.map(variable.map).initial.data() + variable.offset, sizeof value);
      return value;
    }
  ADD_FAILURE() << "no variable " << name;
  return 0;
}

} // namespace

TEST(LinkObjects, ExternsFindTheirDefinitionsAndWeakOnesGiveWay) {
  for (const auto& order : {std::vector<std::string>{"main", "library"}, {"library", "main"}}) {
    const auto object = linked(order);
    ASSERT_EQ(object->programs.size(), 1u);
    EXPECT_EQ(object->license, "GPL");
    EXPECT_TRUE(object->find_map("shared"));
    EXPECT_EQ(initial_number(*object, "counter"), 5);
    EXPECT_EQ(initial_number(*object, "weak_number"), 20);
    const auto program = link(object, "entry");
    ASSERT_TRUE(program) << program.error().message;
    ASSERT_NE(function(**program, "elsewhere"), nullptr);
    ASSERT_NE(function(**program, "choice"), nullptr);
    EXPECT_NE(text(**program).find("= 2\n"), std::string::npos)
        << text(**program); // the strong one
    unsigned statics = 0;   // each file's own
    for (const Function& one : (*program)->functions)
      statics += one.name == "same_name" ? 1 : 0;
    EXPECT_EQ(statics, 2u);
  }
}

TEST(LinkObjects, WhatNobodyDefinesStaysUnresolved) {
  const auto object = linked({"main", "clash"});
  const auto program = link(object, "entry");
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kExtern);
}

TEST(LinkObjects, TwoStrongDefinitionsAreAConflict) {
  const Diagnostic twice = conflict({"library", "clash"});
  EXPECT_EQ(twice.code, Code::kObjectsConflict);
  EXPECT_TRUE(mentions(twice, "choice")) << twice.message;
  EXPECT_TRUE(mentions(twice, part("clash"))) << twice.message;
  EXPECT_TRUE(mentions(conflict({"library", "library"}), "conflicting"));
}

TEST(LinkObjects, AnExternHasTheTypeOfItsDefinition) {
  const Diagnostic variable = conflict({"main", "wrong_type"});
  EXPECT_EQ(variable.code, Code::kObjectsConflict);
  EXPECT_TRUE(mentions(variable, "counter")) << variable.message;
  const Diagnostic map = conflict({"library", "other_map"});
  EXPECT_EQ(map.code, Code::kObjectsConflict);
  EXPECT_TRUE(mentions(map, "shared")) << map.message;
}

TEST(LinkObjects, WeakMapsAgreeOrAreAConflict) {
  const auto object = linked({"weak_a", "weak_b"});
  EXPECT_EQ(object->programs.size(), 2u);
  EXPECT_EQ(object->maps.size(), 1u);
  EXPECT_TRUE(link(object, "first"));
  EXPECT_TRUE(link(object, "second"));
  const Diagnostic other = conflict({"weak_a", "weak_c"});
  EXPECT_EQ(other.code, Code::kObjectsConflict);
  EXPECT_TRUE(mentions(other, "shared")) << other.message;
}

TEST(LinkObjects, TheSameInputsGiveTheSameBytes) {
  const std::vector<std::string> paths = {part("main"), part("library")};
  const auto first = link_objects(paths), second = link_objects(paths);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
}

TEST(LinkObjects, FilesThatOurReaderRefusesAreNotLinked) {
  namespace fs = std::filesystem;
  const fs::path bad = fs::path(testing::TempDir()) / "bad.bpf.o";
  const auto refused = [&](std::vector<uint8_t> bytes) {
    EXPECT_TRUE(write_file_atomically(bad.string(), bytes, 0600));
    const std::vector<std::string> paths = {part("main"), bad.string()};
    const auto result = link_objects(paths);
    EXPECT_FALSE(result);
    if (!result) {
      EXPECT_EQ(result.error().subject, bad.string());
    }
    return result ? Code::kInternal : result.error().code;
  };
  std::vector<uint8_t> bytes = object_bytes("part_library");
  EXPECT_EQ(refused({bytes.begin(), bytes.begin() + 100}), Code::kElfTruncated);
  EXPECT_EQ(refused({'n', 'o'}), Code::kNotElf);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const uint64_t alignment = uint64_t{1} << 40;
  std::memcpy(bytes.data() + header.e_shoff + sizeof(Elf64_Shdr) +
                  offsetof(Elf64_Shdr, sh_addralign),
              &alignment, sizeof alignment);
  EXPECT_EQ(refused(bytes), Code::kElfMalformed);
  fs::remove(bad);
  const std::vector<std::string> missing = {part("main"), "/nonexistent/x.bpf.o"};
  EXPECT_EQ(link_objects(missing).error().code, Code::kIo);
}

// Whatever single bytes are changed: a result or a diagnostic, never a crash of ours.
TEST(LinkObjects, ChangedBytesNeverTakeTheCompilerAlong) {
  namespace fs = std::filesystem;
  const fs::path changed = fs::path(testing::TempDir()) / "changed.bpf.o";
  const std::vector<uint8_t> good = object_bytes("part_library");
  uint64_t random = 12345;
  unsigned refused = 0, linked_anyway = 0;
  for (int round = 0; round < 150; ++round) {
    std::vector<uint8_t> bytes = good;
    for (int n = 0; n < 3; ++n) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      bytes[(random >> 33) % bytes.size()] ^= static_cast<uint8_t>(1u << ((random >> 20) & 7));
    }
    ASSERT_TRUE(write_file_atomically(changed.string(), bytes, 0600));
    const std::vector<std::string> paths = {part("main"), changed.string()};
    const auto result = link_objects(paths);
    (result ? linked_anyway : refused)++;
    if (result) {
      (void)read_object(*result, "changed");
    } else {
      EXPECT_NE(result.error().code, Code::kInternal);
    }
  }
  fs::remove(changed);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(linked_anyway, 0u);
}

TEST(LinkObjects, TakesNoMoreThanItsLimits) {
  const std::vector<std::string> paths = {part("main"), part("library")};
  ASSERT_TRUE(link_objects(paths));
  const auto bytes = link_objects(paths, {.output = 100});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kObjectsLimit) << bytes.error().message;
  EXPECT_TRUE(mentions(bytes.error(), "MB of output")) << bytes.error().message;
}

