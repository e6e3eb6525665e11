// SPDX-License-Identifier: MIT
#include "loader/session.h"

#include "loader/map_output.h"
#include "loader/map_spec.h"
#include "loader/variables.h"
#include "tests/unit/loader/image_builder.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace bpfaot::loader {
namespace {

using test::ImageBuilder;

Image make_image(ImageBuilder& builder) {
  auto image = open_image_bytes("test.so", builder.build());
  EXPECT_TRUE(image) << image.error().message;
  return std::move(*image);
}

SessionOptions with_map(const char* text) {
  SessionOptions options;
  options.maps.push_back(*parse_map_override(text));
  return options;
}

TEST(MapOverride, ReadsItsForm) {
  const auto one = parse_map_override("events:max_entries=64K,value_size=0x10");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->map, "events");
  EXPECT_EQ(*one->max_entries, 65536u);
  EXPECT_EQ(*one->value_size, 16u);
  for (const char* bad : {"", "events", "events:", ":max_entries=1", "e:max_entries", "e:max_entries=",
                          "e:max_entries=x", "e:nonsense=3", "e:max_entries=99999999999999", "e:max_entries=-1"})
    EXPECT_FALSE(parse_map_override(bad)) << bad;
}

TEST(Session, MakesMapsThatCanBeUsed) {
  ImageBuilder b;
  b.map("counts", kMapHash, 4, 8, 16);
  b.map("cpus", kMapPercpuArray, 4, 8, 2);
  b.map("ring", kMapRingbuf, 0, 0, 0);
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->header(2).max_entries, kDefaultRingSize);
  const bpfaot_map_view counts = session->view(0);
  const uint32_t key = 7;
  const uint64_t value = 42;
  EXPECT_EQ(bpfaot_map_update(&counts, &key, &value, 0, 0), 0);
  const void* found = bpfaot_map_lookup(&counts, &key, 0);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*static_cast<const uint64_t*>(found), 42u);
  EXPECT_GT(session->cpus(), possible_cpus());
  EXPECT_EQ(session->shared().loader_pid, static_cast<uint32_t>(getpid()));
}

TEST(Session, FillsProgramArraysAndPrintsWhatTheyHold) {
  ImageBuilder b;
  b.map("jump", kMapProgArray, 4, 4, 4);
  b.program("one", BPFAOT_KIND_SYSCALL);
  b.program("two", BPFAOT_KIND_SYSCALL);
  b.map_values.push_back({0, 0, BPFAOT_NONE, 1});
  b.map_values.push_back({0, 3, BPFAOT_NONE, 0});
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(print_map(image, *session, 0, {}), "@jump[0]: two\n@jump[3]: one\n");
  EXPECT_EQ(print_map(image, *session, 0, {.json = true}),
            "{\"type\":\"map\",\"map\":\"jump\",\"key\":0,\"value\":\"two\"}\n"
            "{\"type\":\"map\",\"map\":\"jump\",\"key\":3,\"value\":\"one\"}\n");
  EXPECT_EQ(print_maps(image, *session, {}), "") << "what the object says is no news";
  const bpfaot_map_view map = session->view(0);
  const uint32_t key = 1, garbage = 99;
  EXPECT_EQ(bpfaot_map_update(&map, &key, &garbage, 0, 0), 0);
  EXPECT_EQ(print_map(image, *session, 0, {}), "@jump[0]: two\n@jump[1]: no program (99)\n@jump[3]: one\n");
}

TEST(Session, FillsMapsOfMapsAndPrintsWhatTheyHold) {
  ImageBuilder b;
  b.map("one", kMapHash, 4, 8, 16);
  b.map("two", kMapHash, 4, 8, 16);
  b.map("list", kMapArrayOfMaps, 4, 4, 4);
  b.map("table", kMapHashOfMaps, 4, 4, 4);
  b.map_values = {{2, 0, 1, BPFAOT_NONE}, {2, 3, 0, BPFAOT_NONE}, {3, 9, 1, BPFAOT_NONE}};
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(print_map(image, *session, 2, {}), "@list[0]: two\n@list[3]: one\n");
  EXPECT_EQ(print_map(image, *session, 3, {}), "@table[9]: two\n");
  EXPECT_EQ(print_maps(image, *session, {}), "");
  b.map_values = {{0, 0, 1, BPFAOT_NONE}};
  EXPECT_FALSE(open_image_bytes("test.so", b.build())) << "a map that holds no maps";
  b.maps[3].key_size = 8;
  b.map_values = {{3, 9, 1, BPFAOT_NONE}};
  EXPECT_FALSE(Session::create(make_image(b), {})) << "an index is no key of 8 bytes";
}

TEST(Session, RefusesSlotsThatAMapDoesNotHave) {
  ImageBuilder b;
  b.map("jump", kMapProgArray, 4, 4, 4);
  b.program("one", BPFAOT_KIND_SYSCALL);
  b.map_values.push_back({0, 3, BPFAOT_NONE, 0});
  const Image image = make_image(b);
  EXPECT_TRUE(Session::create(image, {}));
  const auto small = Session::create(image, with_map("jump:max_entries=3"));
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, Code::kMapSpec);
  b.map_values[0] = {0, 3, BPFAOT_NONE, 1};
  EXPECT_FALSE(open_image_bytes("test.so", b.build())) << "a program that does not exist";
  b.map_values[0] = {1, 3, BPFAOT_NONE, 0};
  EXPECT_FALSE(open_image_bytes("test.so", b.build())) << "a map that does not exist";
  b.map_values[0] = {0, 3, BPFAOT_NONE, 0};
  b.maps[0].type = kMapArray;
  EXPECT_FALSE(open_image_bytes("test.so", b.build())) << "a map that holds no programs";
}

TEST(Session, SealsTheConstMemory) {
  ImageBuilder b;
  b.map("counts", kMapHash, 4, 8, 16);
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session);
  const char byte = 1;
  EXPECT_LT(pwrite(session->const_fd(), &byte, 1, 0), 0);
  EXPECT_NE(ftruncate(session->data_fd(), 0), 0);
}

struct OverrideCase {
  const char* text;
  uint32_t fixed;
  const char* code; // "" = accepted
};

TEST(Session, OverridesRespectWhatTheCodeFolded) {
  const OverrideCase cases[] = {
      {"counts:max_entries=100", 0, ""},
      {"counts:max_entries=100", BPFAOT_FIXED_MAX_ENTRIES, "map-fixed"},
      {"counts:max_entries=16", BPFAOT_FIXED_MAX_ENTRIES, ""},
      {"counts:max_entries=17", BPFAOT_FIXED_MIN_ENTRIES, ""},
      {"counts:max_entries=15", BPFAOT_FIXED_MIN_ENTRIES, "map-fixed"},
      {"counts:value_size=16", BPFAOT_FIXED_VALUE_SIZE, "map-fixed"},
      {"counts:value_size=16", 0, ""},
      {"counts:key_size=8", BPFAOT_FIXED_KEY_SIZE, "map-fixed"},
      {"counts:map_flags=1", BPFAOT_FIXED_FLAGS, "map-fixed"},
      {"counts:max_entries=0", 0, "map-spec"},
      {"nothing:max_entries=1", 0, "map-unknown"},
      {".level:value_size=8", 0, "map-fixed"},
  };
  for (const OverrideCase& one : cases) {
    ImageBuilder b;
    b.map("counts", kMapHash, 4, 8, 16);
    b.maps[0].fixed = one.fixed;
    b.variable("level", BPFAOT_MAP_RODATA, b.integer("u32", 4));
    const Image image = make_image(b);
    const auto session = Session::create(image, with_map(one.text));
    EXPECT_EQ(session ? "" : code_text(session.error().code), one.code) << one.text << " " << one.fixed;
  }
}

struct SetCase {
  const char* name;
  const char* value;
  std::vector<uint8_t> bytes; // empty = refused
};

TEST(Session, SettingsAreEncodedByType) {
  ImageBuilder b;
  const uint32_t u8 = b.integer("u8", 1), i32 = b.integer("int", 4, BPFAOT_INT_SIGNED), u64 = b.integer("u64", 8);
  const uint32_t truth = b.integer("bool", 1, BPFAOT_INT_BOOL), letter = b.integer("char", 1, BPFAOT_INT_CHAR | BPFAOT_INT_SIGNED);
  b.variable("byte", BPFAOT_MAP_RODATA, u8, {1});
  b.variable("number", BPFAOT_MAP_RODATA, i32);
  b.variable("large", BPFAOT_MAP_RODATA, u64);
  b.variable("flag", BPFAOT_MAP_RODATA, truth);
  b.variable("word", BPFAOT_MAP_RODATA, b.array(letter, 4), {'o', 'l', 'd', 0});
  b.variable("list", BPFAOT_MAP_RODATA, b.array(u8, 3), {9, 9, 9});
  b.variable("colour", BPFAOT_MAP_RODATA, b.enumeration("colour", {{"RED", 1}, {"BLUE", 7}}));
  b.variable("later", BPFAOT_MAP_DATA, i32);
  const SetCase cases[] = {
      {"byte", "255", {255}}, {"byte", "0x1f", {31}}, {"byte", "256", {}}, {"byte", "-1", {}}, {"byte", "", {}},
      {"number", "-12", {0xf4, 0xff, 0xff, 0xff}}, {"number", "2147483648", {}}, {"number", "-2147483649", {}},
      {"large", "18446744073709551615", {255, 255, 255, 255, 255, 255, 255, 255}},
      {"large", "18446744073709551616", {}}, {"large", "abc", {}},
      {"flag", "true", {1}}, {"flag", "0", {0}}, {"flag", "2", {}},
      {"word", "abc", {'a', 'b', 'c', 0}}, {"word", "", {0, 0, 0, 0}}, {"word", "long", {}},
      {"list", "1,2", {1, 2, 0}}, {"list", "1,2,3,4", {}},
      {"colour", "BLUE", {7, 0, 0, 0}}, {"colour", "1", {1, 0, 0, 0}}, {"colour", "GREEN", {}},
      {"later", "5", {5, 0, 0, 0}},
  };
  for (const SetCase& one : cases) {
    const Image image = make_image(b);
    SessionOptions options;
    options.settings.push_back({one.name, one.value});
    const auto session = Session::create(image, options);
    const std::string what = std::string(one.name) + "=" + one.value;
    if (one.bytes.empty()) {
      ASSERT_FALSE(session) << what;
      EXPECT_EQ(code_text(session.error().code), "variable-value") << what;
      continue;
    }
    ASSERT_TRUE(session) << what;
    const auto bytes = session->variable_bytes(image.variables()[*find_variable(image, one.name)]);
    EXPECT_EQ(std::vector<uint8_t>(bytes.begin(), bytes.end()), one.bytes) << what;
  }
}

TEST(Session, AnUnknownVariableNamesTheNearest) {
  ImageBuilder b;
  b.variable("target_pid", BPFAOT_MAP_RODATA, b.integer("u32", 4));
  const Image image = make_image(b);
  SessionOptions options;
  options.settings.push_back({"targetpid", "1"});
  const auto session = Session::create(image, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(code_text(session.error().code), "variable-unknown");
  ASSERT_FALSE(session.error().hints.empty());
  EXPECT_NE(session.error().hints[0].find("target_pid"), std::string::npos);
}

TEST(Session, TheRuntimeBlockPointsIntoTheRegions) {
  ImageBuilder b;
  b.map("counts", kMapHash, 4, 8, 16);
  b.map("printk", kMapRingbuf, 0, 0, 4096);
  b.maps[1].section = BPFAOT_MAP_PRINTK;
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session) << session.error().message;
  RuntimeAddresses addresses;
  addresses.base = 0x700000000000;
  const std::vector<uint8_t> bytes = session->fill_rt(image, addresses);
  ASSERT_EQ(bytes.size(), image.desc().rt_size);
  bpfaot_rt rt;
  std::memcpy(&rt, bytes.data(), sizeof rt);
  EXPECT_EQ(rt.session, addresses.base + session->const_size());
  EXPECT_EQ(rt.map_count, 2u);
  EXPECT_EQ(rt.printk_map, 1u);
  bpfaot_map_slot slot;
  std::memcpy(&slot, bytes.data() + sizeof rt, sizeof slot);
  EXPECT_EQ(slot.data, addresses.base + session->header(0).data_off);
  EXPECT_LT(slot.header, addresses.base + session->const_size());
}

TEST(Session, AnotherProcessCanAdoptIt) {
  ImageBuilder b;
  b.map("counts", kMapHash, 4, 8, 16);
  const Image image = make_image(b);
  const auto session = Session::create(image, {});
  ASSERT_TRUE(session);
  const bpfaot_map_view view = session->view(0);
  const uint32_t key = 1;
  const uint64_t value = 99;
  ASSERT_EQ(bpfaot_map_update(&view, &key, &value, 0, 0), 0);
  const auto adopted = Session::adopt(image, UniqueFd(dup(session->const_fd())), UniqueFd(dup(session->data_fd())));
  ASSERT_TRUE(adopted) << adopted.error().message;
  const bpfaot_map_view other = adopted->view(0);
  const auto* found = static_cast<const uint64_t*>(bpfaot_map_lookup(&other, &key, 0));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, 99u);

  b.map("another", kMapHash, 4, 8, 16);
  const Image different = make_image(b);
  const auto refused = Session::adopt(different, UniqueFd(dup(session->const_fd())), UniqueFd(dup(session->data_fd())));
  ASSERT_FALSE(refused);
  EXPECT_EQ(code_text(refused.error().code), "session-memory");
  EXPECT_FALSE(Session::adopt(image, UniqueFd(dup(session->data_fd())), UniqueFd(dup(session->data_fd()))));
}

} // namespace
} // namespace bpfaot::loader
