// SPDX-License-Identifier: MIT
//
// Maps in maps: a lookup gives a map of the shape that the object defines, or null.
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::verifier::test {
namespace {

std::vector<bpf::MapDef> maps() {
  std::vector<bpf::MapDef> all = {array_map("shape", 8, 4), map_of_maps("outer", 0), array_map("plain", 16, 4),
                                  hash_map("other", 8, 32), map_of_maps("others", 3)};
  all[0].is_inner_template = all[3].is_inner_template = true;
  return all;
}

const std::string kFind = "*(u32 *)(r10 -4) = 0\n r1 = map outer\n r2 = r10\n r2 += -4\n call bpf_map_lookup_elem\n";
const std::string kInner = "r1 = r0\n r2 = r10\n r2 += -4\n call bpf_map_lookup_elem\n";
const std::string kOut = "out:\n r0 = 0\n exit\n";

std::string code(const std::string& text) { return check(text, maps()).code; }

TEST(MapsInMaps, are_looked_at_only_when_they_are_there) {
  EXPECT_EQ(code(kFind + kInner + kOut), "null-deref");
  EXPECT_EQ(code(kFind + "if r0 == 0 goto out\n" + kInner + kOut), "");
  EXPECT_EQ(code(kFind + "if r0 != 0 goto out\n" + kInner + kOut), "helper-arg") << "the number 0 is no map";
}

TEST(MapsInMaps, have_the_shape_that_the_object_defines) {
  const std::string found = kFind + "if r0 == 0 goto out\n" + kInner;
  // The index is below the definition's max_entries, so there is a value of 8 bytes.
  EXPECT_EQ(code(found + "r0 = *(u64 *)(r0 +0)\n" + kOut), "");
  EXPECT_EQ(code(found + "r0 = *(u64 *)(r0 +8)\n" + kOut), "map-value-oob");
  const std::string at = "*(u32 *)(r10 -8) = 4\n r1 = r0\n r2 = r10\n r2 += -8\n call bpf_map_lookup_elem\n";
  EXPECT_EQ(code(kFind + "if r0 == 0 goto out\n" + at + "r0 = *(u64 *)(r0 +0)\n" + kOut), "null-deref");
}

TEST(MapsInMaps, are_no_memory) {
  const std::string found = kFind + "if r0 == 0 goto out\n";
  EXPECT_EQ(code(found + "r1 = *(u64 *)(r0 +0)\n" + kOut), "unsupported-map-field");
  EXPECT_NE(code(found + "*(u64 *)(r0 +0) = 1\n" + kOut), "");
  EXPECT_EQ(code(found + "r0 += 32\n" + kInner + kOut), "ptr-arith");
}

TEST(MapsInMaps, are_put_there_by_others_only) {
  const std::string args = "*(u32 *)(r10 -4) = 0\n r1 = map outer\n r2 = r10\n r2 += -4\n r3 = r2\n r4 = 0\n";
  EXPECT_EQ(code(args + "call bpf_map_update_elem\n r0 = 0\n exit"), "helper-arg");
  EXPECT_EQ(code(args + "call bpf_map_delete_elem\n r0 = 0\n exit"), "helper-arg");
}

TEST(MapsInMaps, and_values_are_not_found_by_one_call) {
  const std::string either = "r6 = r1\n r7 = *(u64 *)(r1 +0)\n *(u32 *)(r10 -4) = 0\n r1 = map outer\n"
                             "if r7 == 0 goto call\n r1 = map ";
  const std::string end = "\n call:\n r2 = r10\n r2 += -4\n call bpf_map_lookup_elem\n r0 = 0\n exit\n";
  EXPECT_EQ(code(either + "plain" + end), "unsupported-map-type");
  EXPECT_EQ(code(either + "others" + end), "") << "two maps of maps are fine";
}

} // namespace
} // namespace bpfaot::verifier::test
