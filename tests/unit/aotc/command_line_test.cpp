// SPDX-License-Identifier: MIT
#include "aotc/command_line.h"

#include <gtest/gtest.h>

namespace bpfaot::aotc {
namespace {

Result<CompileOptions> parse(std::vector<std::string> arguments) {
  return parse_command_line(arguments);
}

TEST(CommandLine, DefaultsToTheHostAndTheInputsName) {
  const auto options = parse({"dir/probe.bpf.o"});
  ASSERT_TRUE(options);
  ASSERT_EQ(options->targets.size(), 1u);
  EXPECT_EQ(options->targets[0], &targets::host());
  EXPECT_EQ(*output_for(*options, *options->targets[0]), "probe.so");
  EXPECT_EQ(default_output("x.o", Emit::assembly), "x.s");
}

TEST(CommandLine, TakesOptionsOnEitherSideOfTheInput) {
  const auto options = parse({"probe.bpf.o", "-t", "arm64", "-o", "p.so", "-O3"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->targets[0]->name, "aarch64");
  EXPECT_EQ(options->output, "p.so");
  EXPECT_EQ(options->opt_level, 3);
}

TEST(CommandLine, SeveralTargetsNeedSeveralNames) {
  EXPECT_FALSE(parse({"p.bpf.o", "-t", "x86_64", "-t", "riscv64", "-o", "p.so"}));
  const auto options = parse({"p.bpf.o", "-t", "x86_64", "-t", "riscv64", "-o", "p-%a.so"});
  ASSERT_TRUE(options);
  EXPECT_EQ(*output_for(*options, *options->targets[1]), "p-riscv64.so");
  const auto unnamed = parse({"p.bpf.o", "-t", "x86_64", "-t", "riscv64"});
  ASSERT_TRUE(unnamed);
  EXPECT_EQ(*output_for(*unnamed, *unnamed->targets[0]), "p-x86_64.so");
}

TEST(CommandLine, NamesWhatIsWrong) {
  for (const std::vector<std::string>& bad :
       std::initializer_list<std::vector<std::string>>{{},
                                                       {"a.o", "-O7"},
                                                       {"a.o", "--emit=elf"},
                                                       {"a.o", "-t", "pdp11"},
                                                       {"a.o", "--mcpu=z80"},
                                                       {"a.o", "--nonsense"},
                                                       {"a.o", "--color=red"}}) {
    const auto options = parse(bad);
    ASSERT_FALSE(options) << (bad.empty() ? "" : bad.back());
    EXPECT_EQ(code_verdict(options.error().code), Verdict::usage);
  }
}

TEST(CommandLine, VerifyNeedsNoOutput) {
  const auto options = parse({"--verify-only", "--json", "a.o"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, Action::verify);
  EXPECT_TRUE(options->json);
}

TEST(CommandLine, HelpNamesEveryLongOption) {
  const std::string help = help_text();
  for (const char* name :
       {"--target", "--output", "--emit", "--verify-only", "--ctx-arch", "--fix-maps", "--Werror"})
    EXPECT_NE(help.find(std::string(name).substr(2)), std::string::npos) << name;
}

} // namespace
} // namespace bpfaot::aotc
