// SPDX-License-Identifier: MIT
//
// JSON text, with the strings that hostile files bring.
#include "support/json.h"

#include <gtest/gtest.h>
#include <limits>

namespace bpfaot {
namespace {

std::string text_of(std::string_view value) {
  JsonWriter json;
  json.value(value);
  return json.take();
}

TEST(Json, commas_stand_between_members_only) {
  JsonWriter json;
  json.begin_object().key("a").begin_array().value(1u).value(2u).begin_object().end_object();
  json.end_array().key("b").null().key("c").value(true).end_object();
  EXPECT_EQ(json.text(), R"({"a":[1,2,{}],"b":null,"c":true})");
}

TEST(Json, strings_are_escaped) {
  EXPECT_EQ(text_of("a\"b\\c\n\t\r"), R"("a\"b\\c\n\t\r")");
  EXPECT_EQ(text_of(std::string_view("\0\x1b\x7f", 3)), R"("\u0000\u001b\u007f")");
}

TEST(Json, well_formed_utf8_passes) {
  EXPECT_EQ(text_of("é€😀"), "\"é€😀\"");
}

TEST(Json, malformed_utf8_is_replaced_byte_by_byte) {
  constexpr std::string_view kBad = "\xef\xbf\xbd";
  const auto quoted = [](std::string s) { return "\"" + s + "\""; };
  EXPECT_EQ(text_of("\xff"), quoted(std::string(kBad)));
  EXPECT_EQ(text_of("\xe2\x82"), quoted(std::string(kBad) + std::string(kBad)));      // cut short
  EXPECT_EQ(text_of("\xc0\xaf"), quoted(std::string(kBad) + std::string(kBad)));      // overlong
  EXPECT_EQ(text_of("\xed\xa0\x80").size(), 2 + 3 * kBad.size());                     // surrogate
  EXPECT_EQ(text_of("\xf4\x90\x80\x80").size(), 2 + 4 * kBad.size());                 // too large
  EXPECT_EQ(text_of("\xc3(x"), quoted(std::string(kBad) + "(x"));
}

TEST(Json, integers_keep_all_digits) {
  JsonWriter json;
  json.begin_array();
  json.value(std::numeric_limits<uint64_t>::max()).value(std::numeric_limits<int64_t>::min());
  json.end_array();
  EXPECT_EQ(json.text(), "[18446744073709551615,-9223372036854775808]");
}

TEST(Json, doubles_are_shortest_and_never_nan) {
  JsonWriter json;
  json.begin_array().value(0.1).value(3.0).value(1.0 / 0.0).value(0.0 / 0.0).end_array();
  EXPECT_EQ(json.text(), "[0.1,3,null,null]");
}

} // namespace
} // namespace bpfaot
