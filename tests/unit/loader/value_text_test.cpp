// SPDX-License-Identifier: MIT
//
// Typed values as text and JSON, and histogram drawing.
#include "loader/histogram.h"
#include "loader/value_text.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace bpfaot::loader {
namespace {

// Strings at fixed places, so that the tables below can be constants.
constexpr char kStrings[] = "\0pid\0delta\0comm\0kind\0K_B\0inner\0low\0high\0next\0event\0values\0ok";
constexpr uint32_t string_at(std::string_view text) {
  return uint32_t(std::string_view(kStrings, sizeof kStrings).find(text));
}

enum : uint32_t { kVoid, kU32, kS32, kChar, kComm, kKind, kU16, kInner, kU64, kPointer, kValues, kBool, kEvent };

const std::vector<bpfaot_type> kTypes = {
    {.kind = BPFAOT_TYPE_VOID},
    {.kind = BPFAOT_TYPE_INT, .size = 4},
    {.kind = BPFAOT_TYPE_INT, .size = 4, .encoding = BPFAOT_INT_SIGNED},
    {.kind = BPFAOT_TYPE_INT, .size = 1, .encoding = BPFAOT_INT_SIGNED | BPFAOT_INT_CHAR},
    {.kind = BPFAOT_TYPE_ARRAY, .size = 8, .target = kChar, .count = 8},
    {.kind = BPFAOT_TYPE_ENUM, .size = 4, .first = 0, .count = 1},
    {.kind = BPFAOT_TYPE_INT, .size = 2},
    {.kind = BPFAOT_TYPE_STRUCT, .size = 2, .first = 0, .count = 2},
    {.kind = BPFAOT_TYPE_INT, .size = 8},
    {.kind = BPFAOT_TYPE_POINTER, .size = 8},
    {.kind = BPFAOT_TYPE_ARRAY, .size = 8, .target = kU32, .count = 2},
    {.kind = BPFAOT_TYPE_INT, .size = 1, .encoding = BPFAOT_INT_BOOL},
    {.kind = BPFAOT_TYPE_STRUCT, .name = string_at("event"), .size = 48, .first = 2, .count = 8},
};
const std::vector<bpfaot_member> kMembers = {
    {string_at("low"), kU16, 0, 3},        {string_at("high"), kU16, 3, 13},
    {string_at("pid"), kU32, 0, 0},        {string_at("delta"), kS32, 32, 0},
    {string_at("comm"), kComm, 64, 0},     {string_at("kind"), kKind, 128, 0},
    {string_at("inner"), kInner, 160, 0},  {string_at("ok"), kBool, 176, 0},
    {string_at("next"), kPointer, 192, 0}, {string_at("values"), kValues, 256, 0},
};
const std::vector<bpfaot_enumerator> kEnumerators = {{5, string_at("K_B"), 0}};
const TypeTables kTables{kTypes, kMembers, kEnumerators, kStrings};

std::vector<uint8_t> event() {
  std::vector<uint8_t> bytes(48);
  const uint32_t pid = 7, kind = 5, values[2] = {1, 0xffffffff};
  const int32_t delta = -2;
  const uint16_t bits = 5 | 100 << 3;
  const uint64_t next = 0x7f1200;
  std::memcpy(&bytes[0], &pid, 4);
  std::memcpy(&bytes[4], &delta, 4);
  std::memcpy(&bytes[8], "perl", 5);
  std::memcpy(&bytes[16], &kind, 4);
  std::memcpy(&bytes[20], &bits, 2);
  bytes[22] = 1;
  std::memcpy(&bytes[24], &next, 8);
  std::memcpy(&bytes[32], values, 8);
  return bytes;
}

std::string fields(std::span<const uint8_t> bytes) {
  std::string out;
  append_fields(out, kTables, kEvent, bytes);
  return out;
}

std::string one(uint32_t type, std::span<const uint8_t> bytes) {
  std::string out;
  append_text(out, kTables, type, bytes);
  return out;
}

TEST(ValueText, a_record_prints_each_field_by_name) {
  EXPECT_EQ(fields(event()), "pid=7 delta=-2 comm=perl kind=K_B inner={low=5, high=100} ok=true "
                             "next=0x7f1200 values=[1, 4294967295]");
}

TEST(ValueText, the_same_record_as_json_has_the_field_names_as_keys) {
  JsonWriter json;
  json.begin_object();
  append_json_fields(json, kTables, kEvent, event());
  json.end_object();
  EXPECT_EQ(json.text(), R"({"pid":7,"delta":-2,"comm":"perl","kind":"K_B","inner":{"low":5,"high":100},)"
                         R"("ok":true,"next":"0x7f1200","values":[1,4294967295]})");
}

TEST(ValueText, an_unknown_enumerator_prints_as_its_number) {
  auto bytes = event();
  bytes[16] = 6;
  EXPECT_NE(fields(bytes).find("kind=6"), std::string::npos);
}

TEST(ValueText, a_record_that_is_cut_short_shows_what_is_missing) {
  const auto bytes = event();
  EXPECT_EQ(fields(std::span(bytes).first(6)),
            "pid=7 delta=? comm=\"\" kind=? inner={low=0, high=0} ok=? next=? values=[?, ?]");
}

TEST(ValueText, text_with_blanks_or_control_bytes_is_quoted) {
  const uint8_t blank[8] = {'a', ' ', 'b', 0, 'x'};
  EXPECT_EQ(one(kComm, blank), "\"a b\"");
  const uint8_t control[8] = {'a', '\n', 1, '"', 0xff};
  EXPECT_EQ(one(kComm, control), "\"a\\n\\x01\\\"\\xff\"");
  const uint8_t full[8] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'};
  EXPECT_EQ(one(kComm, full), "abcdefgh");
}

TEST(ValueText, untyped_bytes_are_lowercase_hex_without_separators) {
  std::string out;
  const uint8_t bytes[] = {0xde, 0xad, 0x00, 0x0f};
  append_hex(out, bytes);
  EXPECT_EQ(out, "data=dead000f");
}

TEST(ValueText, integers_are_sign_extended_from_their_own_width) {
  int64_t value = 0;
  const uint8_t bytes[4] = {0xff, 0xff, 0xff, 0xff};
  EXPECT_TRUE(read_integer(kTables, kS32, bytes, value));
  EXPECT_EQ(value, -1);
  EXPECT_TRUE(read_integer(kTables, kU32, bytes, value));
  EXPECT_EQ(value, 0xffffffff);
  EXPECT_FALSE(read_integer(kTables, kU64, bytes, value));
  EXPECT_FALSE(read_integer(kTables, kComm, bytes, value));
}

TEST(Histogram, empty_buckets_at_both_ends_are_left_out) {
  const uint64_t slots[] = {0, 0, 4, 0, 2, 0};
  const auto buckets = log2_buckets(slots);
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0].low, 4u);
  EXPECT_EQ(buckets[0].high, 7u);
  EXPECT_EQ(buckets[2].count, 2u);
}

TEST(Histogram, bars_are_drawn_in_proportion_and_bounds_use_binary_units) {
  std::vector<uint64_t> slots(21);
  slots[10] = 4;
  slots[20] = 1;
  const std::string text = draw_histogram(log2_buckets(slots));
  EXPECT_NE(text.find("[1K, 2K)"), std::string::npos);
  EXPECT_NE(text.find("[1M, 2M)"), std::string::npos);
  EXPECT_NE(text.find("|" + std::string(52, '@') + "|"), std::string::npos);
  EXPECT_NE(text.find("|" + std::string(13, '@') + " "), std::string::npos);
}

TEST(Histogram, a_histogram_without_counts_draws_nothing) {
  const uint64_t slots[64] = {};
  EXPECT_EQ(draw_histogram(log2_buckets(slots)), "");
}

} // namespace
} // namespace bpfaot::loader
