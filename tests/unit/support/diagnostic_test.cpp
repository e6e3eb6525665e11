// SPDX-License-Identifier: MIT
//
// Codes and the sink.
#include "support/diagnostic.h"
#include "support/result.h"

#include <gtest/gtest.h>

namespace bpfaot {
namespace {

TEST(Diagnostic, code_text_parses_back_to_the_code) {
  for (const Code code : {Code::kInternal, Code::kUsage, Code::kIo})
    EXPECT_EQ(parse_code(code_text(code)), code);
  EXPECT_EQ(parse_code("no-such-code"), std::nullopt);
}

TEST(Diagnostic, level_follows_the_verdict_of_the_code) {
  EXPECT_EQ(make_error(Code::kIo, "x").level, Level::error);
  EXPECT_EQ(make_error(Code::kInternal, "x").level, Level::internal);
  EXPECT_EQ(make_warning(Code::kIo, "x").level, Level::warning);
}

TEST(DiagSink, counts_errors_beyond_the_limit_without_keeping_them) {
  DiagSink sink(2);
  for (int i = 0; i < 5; ++i)
    sink.add(make_error(Code::kIo, "x"));
  sink.add(make_warning(Code::kIo, "w"));
  EXPECT_EQ(sink.errors(), 2u);
  EXPECT_EQ(sink.suppressed(), 3u);
  EXPECT_EQ(sink.all().size(), 3u);
}

TEST(DiagSink, limit_zero_keeps_everything) {
  DiagSink sink(0);
  for (int i = 0; i < 50; ++i)
    sink.add(make_error(Code::kIo, "x"));
  EXPECT_EQ(sink.all().size(), 50u);
}

Result<int> half(int v) {
  if (v % 2 != 0)
    return fail(Code::kUsage, "odd");
  return v / 2;
}

Result<int> quarter(int v) { return TRY(half(TRY(half(v)))); }

TEST(Result, try_forwards_the_failure) {
  EXPECT_EQ(*quarter(8), 2);
  const Result<int> odd = quarter(6);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kUsage);
}

} // namespace
} // namespace bpfaot
