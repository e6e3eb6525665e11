// SPDX-License-Identifier: MIT
//
// The command-line parser on a small table.
#include "support/options.h"

#include <gtest/gtest.h>

namespace bpfaot {
namespace {

enum { kOutput, kTarget, kVerbose, kHelp, kOptimise, kDepFile, kEmit, kSecret };

constexpr OptionRow kTable[] = {
    {kOutput, 'o', "output", OptionArg::required, "FILE", "write to FILE", "output"},
    {kTarget, 't', "target", OptionArg::required, "ARCH", "machine to compile for", "target"},
    {kVerbose, 'v', "verbose", OptionArg::none, "", "say more", "output"},
    {kHelp, 'h', "help", OptionArg::none, "", "show this", "output"},
    {kOptimise, 'O', "", OptionArg::required, "LEVEL", "optimisation level", "target"},
    {kDepFile, 0, "MF", OptionArg::required, "FILE", "dependency file", "output"},
    {kEmit, 0, "emit", OptionArg::optional, "STAGE",
     "stop after a stage and write what it made, which is a long story that needs two lines",
     "output"},
    {kSecret, 0, "secret", OptionArg::none, "", "not shown", ""},
};

Result<ParsedArguments> parse(std::vector<std::string> words) {
  return parse_arguments(kTable, words);
}

std::string flat(const ParsedArguments& arguments) {
  std::string out;
  for (const ParsedOption& option : arguments.options)
    out += std::to_string(option.id) + "=" + option.value + " ";
  for (const std::string& word : arguments.positional)
    out += word + " ";
  if (arguments.has_separator)
    out += "-- ";
  for (const std::string& word : arguments.rest)
    out += word + " ";
  return out;
}

TEST(Options, every_spelling_of_a_value_is_the_same) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--output=f"}, {"--output", "f"}, {"-o", "f"}, {"-of"}})
    EXPECT_EQ(flat(*parse(words)), "0=f ");
}

TEST(Options, short_options_run_together) {
  EXPECT_EQ(flat(*parse({"-vvof", "-O2"})), "2= 2= 0=f 4=2 ");
}

TEST(Options, options_stand_anywhere_up_to_the_separator) {
  EXPECT_EQ(flat(*parse({"a", "-v", "b", "--", "-v", "--"})), "2= a b -- -v -- ");
}

TEST(Options, a_compiler_like_name_needs_one_dash) {
  EXPECT_EQ(flat(*parse({"-MF", "x.d"})), "5=x.d ");
}

TEST(Options, optional_values_are_joined_only) {
  EXPECT_EQ(flat(*parse({"--emit", "x"})), "6= x ");
  EXPECT_EQ(flat(*parse({"--emit=asm"})), "6=asm ");
}

TEST(Options, a_lone_dash_is_a_file) { EXPECT_EQ(flat(*parse({"-o", "-", "-"})), "0=- - "); }

TEST(Options, the_last_value_wins_and_the_first_stays_visible) {
  const auto parsed = parse({"-t", "a", "-t", "b"});
  EXPECT_EQ(parsed->value(kTarget), "b");
  EXPECT_EQ(parsed->options.size(), 2u);
  EXPECT_EQ(parsed->value(kOutput, "none"), "none");
  EXPECT_FALSE(parsed->has(kOutput));
}

TEST(Options, an_unknown_option_names_the_nearest) {
  const auto parsed = parse({"--ouput=f"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kUsage);
  EXPECT_NE(parsed.error().message.find("'--ouput'"), std::string::npos);
  ASSERT_EQ(parsed.error().hints.size(), 1u);
  EXPECT_NE(parsed.error().hints[0].find("--output"), std::string::npos);
}

TEST(Options, wrong_command_lines_are_usage_errors) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-x"}, {"--secre"}, {"--verbose=1"}, {"-o"}, {"--output"},
        {"-o", "--", "x"}, {"-vx"}}) {
    const auto parsed = parse(words);
    ASSERT_FALSE(parsed) << words[0];
    EXPECT_EQ(parsed.error().code, Code::kUsage);
  }
}

TEST(Options, help_shows_groups_and_hides_hidden_rows) {
  const std::string help = format_options(kTable);
  EXPECT_NE(help.find("output:\n  -o, --output=FILE           write to FILE\n"), std::string::npos)
      << help;
  EXPECT_NE(help.find("      -MF FILE"), std::string::npos);
  EXPECT_NE(help.find("  -OLEVEL"), std::string::npos);
  EXPECT_NE(help.find("--emit[=STAGE]"), std::string::npos);
  EXPECT_EQ(help.find("secret"), std::string::npos);
  for (size_t start = 0; start < help.size();) {
    const size_t end = help.find('\n', start);
    EXPECT_LE(end - start, 80u);
    start = end + 1;
  }
}

TEST(Options, nearest_declines_words_that_are_far) {
  const std::string_view names[] = {"malloc", "calloc", "free"};
  EXPECT_EQ(nearest("mallok", names), "malloc");
  EXPECT_EQ(nearest("fre", names), "free");
  EXPECT_EQ(nearest("fere", names), "free") << "two swapped letters are one slip";
  EXPECT_EQ(nearest("completely", names), "");
}

} // namespace
} // namespace bpfaot
