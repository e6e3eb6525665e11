// SPDX-License-Identifier: MIT
#include "loader/image.h"

#include "tests/unit/loader/image_builder.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <random>
#include <unistd.h>

namespace bpfaot::loader {
namespace {

using test::ImageBuilder;

std::string code_of(const std::vector<uint8_t>& bytes, ImageUse use = ImageUse::run) {
  const auto image = open_image_bytes("test.so", bytes, use);
  return image ? "accepted" : std::string(code_text(image.error().code));
}

ImageBuilder sample() {
  ImageBuilder b;
  const uint32_t u32 = b.integer("u32", 4), u64 = b.integer("u64", 8);
  const uint32_t s = b.structure("sample", {{"a", u32}, {"b", b.array(u32, 4)}, {"c", u32}, {"d", u64}});
  b.map("counts", 1, 4, 8, 16);
  b.maps[0].key_type = u32;
  b.maps[0].value_type = u64;
  b.variable("level", BPFAOT_MAP_RODATA, u32, {7, 0, 0, 0});
  b.events.push_back({0, 32, s, BPFAOT_NONE});
  b.program("first", BPFAOT_KIND_SYSCALL);
  return b;
}

TEST(Image, ReadsWhatTheDescriptorSays) {
  ImageBuilder b = sample();
  const auto image = open_image_bytes("dir/test.so", b.build());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->name(), "test.so");
  EXPECT_EQ(image->string(image->desc().license), "GPL");
  ASSERT_EQ(image->programs().size(), 1u);
  EXPECT_EQ(image->string(image->programs()[0].name), "first");
  EXPECT_EQ(image->entry_address(image->programs()[0]), ImageBuilder::kCodePage);
  EXPECT_EQ(image->rt_address(), ImageBuilder::kRtPage);
  EXPECT_EQ(image->span(), ImageBuilder::kRtPage + 0x10000);
  ASSERT_EQ(image->segments().size(), 3u);
  EXPECT_TRUE(image->segments()[1].executable);
  EXPECT_EQ(*image->find_map("counts"), 0u);
  EXPECT_EQ(code_text(image->find_map("count").error().code), "map-unknown");
  EXPECT_EQ(code_text(image->find_program("firs").error().code), "program-unknown");
  EXPECT_EQ(image->initial(image->maps()[1])[0], 7);
}

TEST(Image, KeepsASealedCopy) {
  ImageBuilder b = sample();
  const auto image = open_image_bytes("test.so", b.build());
  ASSERT_TRUE(image);
  const char byte = 0;
  EXPECT_LT(pwrite(image->fd(), &byte, 1, 0), 0);
  EXPECT_NE(ftruncate(image->fd(), 1), 0);
  EXPECT_EQ(fcntl(image->fd(), F_GET_SEALS) & F_SEAL_SEAL, F_SEAL_SEAL);
}

struct BadCase {
  const char* what;
  const char* code;
  std::function<void(ImageBuilder&)> change;
};

TEST(Image, EachBadDescriptorHasItsCode) {
  const BadCase cases[] = {
      {"newer ABI", "image-abi-newer", [](auto& b) { b.note.abi_version = 99; }},
      {"note and descriptor disagree", "image-damaged", [](auto& b) { b.desc.abi_version = 1; }},
      {"no verdict", "image-damaged", [](auto& b) { b.desc.verdict = 0; }},
      {"unknown program kind", "image-damaged", [](auto& b) { b.programs[0].kind = 77; }},
      {"entry outside code", "image-damaged", [](auto& b) { b.programs[0].entry_off = 4096; }},
      {"entry before the image", "image-damaged", [](auto& b) { b.programs[0].entry_off = -1 << 20; }},
      {"name outside the strings", "image-damaged", [](auto& b) { b.programs[0].name = 1 << 20; }},
      {"control characters", "image-damaged", [](auto& b) { b.maps[0].name = b.text("a\x1b[2J"); }},
      {"key type out of range", "image-damaged", [](auto& b) { b.maps[0].key_type = 999; }},
      {"inner map out of range", "image-damaged", [](auto& b) { b.maps[0].inner = 9; }},
      {"initial data out of range", "image-damaged", [](auto& b) { b.maps[1].initial.off = 4000000000u; }},
      {"initial data too long", "image-damaged", [](auto& b) { b.maps[1].value_size = 3; }},
      {"variables in a hash", "image-damaged", [](auto& b) { b.maps[1].type = 1; }},
      {"variables with long keys", "image-damaged", [](auto& b) { b.maps[1].key_size = 8; }},
      {"variables in two elements", "image-damaged", [](auto& b) { b.maps[1].max_entries = 2; }},
      {"printed lines in a hash", "image-damaged", [](auto& b) { b.maps[0].section = BPFAOT_MAP_PRINTK; }},
      {"variable outside its map", "image-damaged", [](auto& b) { b.variables[0].off = 0xfffffffcu; }},
      {"variable of no map", "image-damaged", [](auto& b) { b.variables[0].map = 2; }},
      {"event of no type", "image-damaged", [](auto& b) { b.events[0].type = 99; }},
      {"type that contains itself", "image-damaged", [](auto& b) { b.members[0].type = 4; b.types[4].size = 100; }},
      {"member outside its struct", "image-damaged", [](auto& b) { b.members[2].bit_off = 1 << 20; }},
      {"members out of range", "image-damaged", [](auto& b) { b.types.back().count = 0xffffffffu; }},
      {"array size overflow", "image-damaged", [](auto& b) { b.types[3].count = 0x40000004u; }},
      {"unknown type kind", "image-damaged", [](auto& b) { b.types[1].kind = 42; }},
      {"int of three bytes", "image-damaged", [](auto& b) { b.types[1].size = 3; }},
      {"writable code", "image-damaged", [](auto& b) { b.data_flags = PF_R | PF_W | PF_X; }},
      {"runtime block not writable", "image-damaged", [](auto& b) { b.data_flags = PF_R; }},
      {"CPU feature nobody has", "image-cpu", [](auto& b) { b.desc.cpu_features = 1ull << 63; }},
      {"unknown machine", "image-machine", [](auto& b) { b.desc.machine = 9999; }},
  };
  for (const BadCase& one : cases) {
    ImageBuilder b = sample();
    one.change(b);
    EXPECT_EQ(code_of(b.build()), one.code) << one.what;
  }
}

TEST(Image, EndlessOutputIsRefused) {
  ImageBuilder b = sample();
  const uint32_t empty = b.structure("empty", {});
  b.array(empty, 1u << 30);
  EXPECT_EQ(code_of(b.build()), "image-damaged");
}

TEST(Image, DeepTypesAreRefused) {
  ImageBuilder b = sample();
  uint32_t type = b.integer("u8", 1);
  for (int i = 0; i < 100; ++i)
    type = b.array(type, 1);
  std::reverse(b.types.begin() + type - 99, b.types.end());
  for (uint32_t i = type - 99; i < type; ++i)
    b.types[i].target = i + 1;
  b.types[type].target = type - 100;
  EXPECT_EQ(code_of(b.build()), "image-damaged");
}

TEST(Image, AForeignImageIsForInspectionOnly) {
  for (const targets::Target* target : targets::all()) {
    if (target == &targets::host())
      continue;
    ImageBuilder b = sample();
    b.desc.machine = target->e_machine;
    const auto bytes = b.build();
    EXPECT_EQ(code_of(bytes), "image-machine");
    EXPECT_EQ(code_of(bytes, ImageUse::inspect), "accepted");
  }
}

TEST(Image, OtherFilesAreNamedForWhatTheyAre) {
  EXPECT_EQ(code_of({}), "elf-format");
  EXPECT_EQ(code_of({'t', 'e', 'x', 't'}), "elf-format");
  ImageBuilder b = sample();
  auto bytes = b.build();
  bytes[EI_DATA] = ELFDATA2MSB;
  EXPECT_EQ(code_of(bytes), "elf-format");
  bytes[EI_DATA] = ELFDATA2LSB;
  bytes[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(code_of(bytes), "elf-format");
  const auto program = open_image("/proc/self/exe");
  ASSERT_FALSE(program);
  EXPECT_EQ(code_text(program.error().code), "image-format");
}

TEST(Image, EveryTruncationIsRefused) {
  ImageBuilder b = sample();
  const auto bytes = b.build();
  for (size_t size = 0; size < bytes.size(); size += size < 0x2000 ? 37 : 4093)
    EXPECT_NE(code_of({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)}), "accepted") << size;
}

TEST(Image, EveryFlippedBitIsRefused) {
  ImageBuilder b = sample();
  const auto bytes = b.build();
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    auto flipped = bytes;
    const size_t at = i < 250 ? random() % 0x1800 : random() % flipped.size();
    flipped[at] ^= static_cast<uint8_t>(1u << (random() % 8));
    EXPECT_NE(code_of(flipped), "accepted") << at;
  }
}

// The digest does not cover the signature, which is made from it; there is none here.
TEST(Image, NoBitOfAnAbsentSignatureMayBeSet) {
  ImageBuilder b = sample();
  const auto bytes = b.build();
  for (size_t at = 0; at < sizeof(bpfaot_desc::signature); ++at) {
    auto flipped = bytes;
    flipped[ImageBuilder::kDescAt + offsetof(bpfaot_desc, signature) + at] ^= 4;
    EXPECT_EQ(code_of(flipped), "image-damaged") << at;
  }
}

// With a digest that matches, the checks behind it are on their own: no crash, whatever they say.
TEST(Image, FlippedBitsUnderAValidDigestAreHarmless) {
  std::mt19937 random(2);
  int accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    ImageBuilder b = sample();
    const auto bytes = b.build([&](std::vector<uint8_t>& file) {
      const uint64_t tables = ImageBuilder::kDescAt + random() % b.desc.total_size;
      file[i % 3 == 0 ? random() % 0x400 : tables] ^= static_cast<uint8_t>(1u << (random() % 8));
    });
    const auto image = open_image_bytes("test.so", bytes, ImageUse::inspect);
    if (!image)
      continue;
    ++accepted;
    std::string out;
    const std::vector<uint8_t> record(64, 1);
    for (const bpfaot_event& event : image->events())
      append_fields(out, image->type_tables(), event.type, record);
    EXPECT_LT(out.size(), 1u << 20);
  }
  EXPECT_GT(accepted, 0);
}

} // namespace
} // namespace bpfaot::loader
