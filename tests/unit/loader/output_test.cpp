// SPDX-License-Identifier: MIT
#include "loader/output.h"

#include "loader/map_output.h"
#include "loader/map_snapshot.h"
#include "tests/unit/loader/image_builder.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cstdio>

namespace bpfaot::loader {
namespace {

using test::ImageBuilder;

class Fixture {
public:
  explicit Fixture(ImageBuilder& builder)
      : image(std::make_unique<Image>(std::move(*open_image_bytes("test.so", builder.build())))),
        session(std::make_unique<Session>(std::move(*Session::create(*image, {})))) {}

  template <class Key, class Value> void put(uint32_t map, const Key& key, const Value& value, uint32_t cpu = 0) {
    const bpfaot_map_view view = session->view(map);
    EXPECT_EQ(bpfaot_map_update(&view, &key, &value, 0, cpu), 0);
  }
  std::string maps(const MapOutputOptions& options = {}) const { return print_maps(*image, *session, options); }

  std::unique_ptr<Image> image;
  std::unique_ptr<Session> session;
};

TEST(MapOutput, PrintsKeysAndValuesByType) {
  ImageBuilder b;
  const uint32_t u32 = b.integer("u32", 4), i64 = b.integer("s64", 8, BPFAOT_INT_SIGNED);
  const uint32_t pair = b.structure("pair", {{"a", u32}, {"b", u32}});
  b.map("counts", kMapHash, 8, 8, 16);
  b.maps[0].key_type = pair;
  b.maps[0].value_type = i64;
  Fixture f(b);
  const struct { uint32_t a, b; } one{1, 2}, two{3, 4};
  f.put(0, one, int64_t{-5});
  f.put(0, two, int64_t{-9});
  EXPECT_EQ(f.maps(), "@counts[a=3, b=4]: -9\n@counts[a=1, b=2]: -5\n");
  EXPECT_EQ(f.maps({.json = true}), "{\"type\":\"map\",\"map\":\"counts\",\"key\":{\"a\":3,\"b\":4},\"value\":-9}\n"
                                    "{\"type\":\"map\",\"map\":\"counts\",\"key\":{\"a\":1,\"b\":2},\"value\":-5}\n");
}

TEST(MapOutput, UntypedValuesAreNumbersOrHex) {
  ImageBuilder b;
  b.map("counts", kMapHash, 4, 8, 16);
  b.map("blobs", kMapHash, 4, 3, 16);
  Fixture f(b);
  const uint8_t blob[3] = {1, 0xab, 0};
  f.put(0, 7u, uint64_t{18446744073709551615u});
  f.put(1, 8u, blob);
  EXPECT_EQ(f.maps(), "@counts[7]: 18446744073709551615\n\n@blobs[8]: 0x01ab00\n");
}

TEST(MapOutput, ArraysLeaveOutZeroes) {
  ImageBuilder b;
  b.map("counts", kMapArray, 4, 8, 4);
  Fixture f(b);
  f.put(0, 3u, uint64_t{1});
  f.put(0, 1u, uint64_t{9});
  EXPECT_EQ(f.maps(), "@counts[1]: 9\n@counts[3]: 1\n");
}

TEST(MapOutput, LargeArraysStaySparse) {
  ImageBuilder b;
  b.map("counts", kMapArray, 4, 8, 20u << 20);
  Fixture f(b);
  f.put(0, 19u << 20, uint64_t{4});
  EXPECT_EQ(f.maps(), "@counts[19922944]: 4\n");
  struct stat before;
  ASSERT_EQ(fstat(f.session->data_fd(), &before), 0);
  EXPECT_LT(before.st_blocks * 512, 1 << 20);
}

TEST(MapOutput, PerCpuIntegersAreSummed) {
  ImageBuilder b;
  const uint32_t i32 = b.integer("int", 4, BPFAOT_INT_SIGNED);
  b.map("counts", kMapPercpuArray, 4, 4, 1);
  b.maps[0].value_type = i32;
  Fixture f(b);
  f.put(0, 0u, int32_t{10}, 0);
  f.put(0, 0u, int32_t{-13}, 2);
  EXPECT_EQ(f.maps(), "@counts[0]: -3\n");
  EXPECT_EQ(f.maps({.per_cpu = true}), "@counts[0, cpu 0]: 10\n@counts[0, cpu 2]: -13\n");
}

TEST(MapOutput, AStructWithSlotsIsAHistogram) {
  ImageBuilder b;
  const uint32_t u32 = b.integer("u32", 4), letter = b.integer("char", 1, BPFAOT_INT_CHAR);
  const uint32_t hist = b.structure("hist", {{"comm", b.array(letter, 8)}, {"slots", b.array(u32, 16)}});
  b.map("sizes", kMapHash, 4, 72, 16);
  b.maps[0].value_type = hist;
  Fixture f(b);
  struct { char comm[8]; uint32_t slots[16]; } value{"perl", {}};
  value.slots[4] = 1;
  value.slots[5] = 2;
  f.put(0, 12u, value);
  const std::string text = f.maps();
  EXPECT_EQ(text.substr(0, text.find('\n')), "@sizes[12]: comm=perl");
  EXPECT_NE(text.find("[16, 32)"), std::string::npos) << text;
  EXPECT_NE(text.find("2 |@@@@"), std::string::npos) << text;
  EXPECT_EQ(f.maps({.json = true}),
            "{\"type\":\"hist\",\"map\":\"sizes\",\"key\":12,\"comm\":\"perl\",\"buckets\":["
            "{\"min\":16,\"max\":31,\"count\":1},{\"min\":32,\"max\":63,\"count\":2}]}\n");
}

struct NameCase {
  const char* name;
  uint32_t entries;
  bool is_histogram;
};

TEST(MapOutput, ArraysAreHistogramsByName) {
  const NameCase cases[] = {{"hist", 32, true},   {"my_slots", 26, true}, {"latency_buckets", 64, true},
                            {"sizes", 32, true},  {"counts", 32, false},  {"hist", 4, false},
                            {"hist", 1000, false}};
  for (const NameCase& one : cases) {
    ImageBuilder b;
    const uint32_t u64 = b.integer("u64", 8);
    b.map(one.name, kMapArray, 4, 8, one.entries);
    b.maps[0].value_type = u64;
    Fixture f(b);
    f.put(0, 2u, uint64_t{3});
    EXPECT_EQ(f.maps().find("|@@@") != std::string::npos, one.is_histogram) << one.name << one.entries;
  }
}

TEST(MapOutput, ScratchMapsAreShownOnRequest) {
  ImageBuilder b;
  b.map("start", kMapHash, 4, 8, 16);
  b.map("heap", kMapPercpuArray, 4, 8, 1);
  b.map("kept", kMapHash, 4, 8, 16);
  Fixture f(b);
  f.put(0, 1u, uint64_t{1});
  f.put(1, 0u, uint64_t{1});
  f.put(2, 1u, uint64_t{1});
  EXPECT_EQ(f.maps(), "@kept[1]: 1\n");
  EXPECT_EQ(f.maps({.all_maps = true}), "@start[1]: 1\n\n@heap[0]: 1\n\n@kept[1]: 1\n");
}

TEST(MapOutput, VariablesArePrintedWhenTheyChanged) {
  ImageBuilder b;
  const uint32_t u32 = b.integer("u32", 4);
  b.variable("total", BPFAOT_MAP_BSS, u32);
  b.variable("same", BPFAOT_MAP_DATA, u32, {5, 0, 0, 0});
  b.variable("setting", BPFAOT_MAP_RODATA, u32, {1, 0, 0, 0});
  b.variable("hists", BPFAOT_MAP_BSS, b.structure("h", {{"slots", b.array(u32, 8)}}));
  Fixture f(b);
  EXPECT_EQ(f.maps(), "");
  f.put(0, 0u, uint32_t{77});
  uint32_t slots[8] = {0, 4};
  f.put(3, 0u, slots);
  const std::string text = f.maps();
  EXPECT_EQ(text.substr(0, 11), "@total: 77\n");
  EXPECT_NE(text.find("@hists:\n[2, 4)"), std::string::npos) << text;
  EXPECT_EQ(text.find("same"), std::string::npos);
}

// Records are put into the ring as minirt's own tests do it: by output under a session of one map.
TEST(Output, AnEmptySessionPrintsNothing) {
  ImageBuilder b;
  b.map("events", kMapRingbuf, 0, 0, 4096);
  b.map("counts", kMapHash, 4, 8, 16);
  Fixture f(b);
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  Output output(*f.image, *f.session, {}, file);
  EXPECT_EQ(output.poll(), 0u);
  f.put(1, 1u, uint64_t{5});
  output.finish({.hits = 3, .returns = 0});
  fclose(file);
  EXPECT_EQ(std::string(text, size), "missed 3 hits (nested, or no free slot) and 0 returns\n@counts[1]: 5\n");
  free(text);
  EXPECT_TRUE(output.is_good());
}

} // namespace
} // namespace bpfaot::loader
