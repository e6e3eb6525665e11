// SPDX-License-Identifier: MIT
#include "aotc/depfile.h"
#include "aotc/warnings.h"

#include <gtest/gtest.h>

namespace bpfaot::aotc {
namespace {

using Action = WarningPolicy::Action;

WarningPolicy policy(std::initializer_list<std::string_view> values) {
  WarningPolicy result;
  for (const std::string_view value : values)
    EXPECT_TRUE(result.apply(value)) << value;
  return result;
}

TEST(Warnings, ArePrintedUnlessSomethingElseIsSaid) {
  EXPECT_EQ(policy({}).action(Code::kProgramKind), Action::print);
  EXPECT_EQ(policy({"all"}).action(Code::kProgramKind), Action::print);
  EXPECT_EQ(policy({"no-program-kind"}).action(Code::kProgramKind), Action::drop);
  EXPECT_EQ(policy({"no-program-kind"}).action(Code::kNullDeref), Action::print);
  EXPECT_EQ(policy({"no-program-kind", "program-kind"}).action(Code::kProgramKind), Action::print);
}

TEST(Warnings, BecomeErrorsOneByOneOrAllTogether) {
  EXPECT_EQ(policy({"error"}).action(Code::kProgramKind), Action::raise);
  EXPECT_EQ(policy({"error", "no-error"}).action(Code::kProgramKind), Action::print);
  EXPECT_EQ(policy({"error=program-kind"}).action(Code::kProgramKind), Action::raise);
  EXPECT_EQ(policy({"error=program-kind"}).action(Code::kNullDeref), Action::print);
  EXPECT_EQ(policy({"no-error=program-kind", "error"}).action(Code::kProgramKind), Action::print);
  EXPECT_EQ(policy({"no-program-kind", "error=program-kind"}).action(Code::kProgramKind), Action::raise);
  EXPECT_EQ(policy({"error", "no-program-kind"}).action(Code::kProgramKind), Action::drop);
}

TEST(Warnings, ASilencedRunHasNone) {
  WarningPolicy silent = policy({"error"});
  silent.silence();
  EXPECT_EQ(silent.action(Code::kProgramKind), Action::drop);
}

TEST(Warnings, CodesThatBeginWithNoAreNotMistaken) {
  EXPECT_EQ(policy({"no-no-program"}).action(Code::kNoProgram), Action::drop);
  EXPECT_EQ(policy({"no-program"}).action(Code::kNoProgram), Action::print);
}

TEST(Warnings, UnknownCodesAreUsageErrorsWithASuggestion) {
  for (const std::string_view bad : {"program-kinds", "no-program-kinds", "error=program-kinds", "", "no-"}) {
    const Status status = WarningPolicy().apply(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(status.error().code, Code::kUsage);
    EXPECT_FALSE(status.error().hints.empty());
  }
  EXPECT_NE(WarningPolicy().apply("program-kinds").error().hints[0].find("program-kind"), std::string::npos);
}

TEST(Depfile, EscapesWhatIsSpecialToMake) {
  const std::string targets[] = {"a b.so"}, files[] = {"in$x.o", "c#d.btf"};
  EXPECT_EQ(depfile_text(targets, files), "a\\ b.so: \\\n  in$$x.o \\\n  c\\#d.btf\n\nc\\#d.btf:\n");
}

} // namespace
} // namespace bpfaot::aotc
