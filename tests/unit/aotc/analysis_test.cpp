// SPDX-License-Identifier: MIT
//
// Verdicts per program, and what the driver makes of them.
#include "tests/unit/aotc/fixture.h"

#include "aotc/driver.h"

#include <filesystem>

namespace bpfaot::aotc::test {
namespace {

CompileOptions for_object(const std::string& name) {
  CompileOptions options;
  options.input = object_path(name);
  options.output = testing::TempDir() + "/aotc-analysis-" + name + ".so";
  options.targets = {&targets::host()};
  options.resource_dir = resource_dir();
  return options;
}

TEST(Analysis, OneBadProgramDoesNotHideTheOthers) {
  CompileOptions options = for_object("mixed_bad");
  options.action = Action::verify;
  options.json = true;
  DiagSink sink;
  const Outcome outcome = run_compiler(options, sink);
  EXPECT_TRUE(outcome.failed);
  EXPECT_NE(outcome.report.find(R"("name":"good","verdict":"accept")"), std::string::npos)
      << outcome.report;
  EXPECT_NE(
      outcome.report.find(R"("name":"in_kernel","verdict":"unsupported","code":"program-kind")"),
      std::string::npos);
  EXPECT_NE(outcome.report.find(R"("name":"no_null_check","verdict":"reject")"), std::string::npos)
      << outcome.report;
}

TEST(Driver, KindsThatCannotRunInAProcessAreLeftOutByName) {
  const CompileOptions options = for_object("mixed");
  DiagSink sink;
  const Outcome outcome = run_compiler(options, sink);
  EXPECT_FALSE(outcome.failed);
  ASSERT_EQ(sink.all().size(), 2u);
  for (const Diagnostic& diagnostic : sink.all()) {
    EXPECT_EQ(diagnostic.level, Level::warning);
    EXPECT_EQ(diagnostic.code, Code::kProgramKind);
  }
  EXPECT_NE(sink.all()[0].message.find("in_kernel"), std::string::npos);
  EXPECT_TRUE(std::filesystem::remove(options.output));
}

TEST(Driver, APacketProgramThatIsNotSupportedDoesNotTakeTheProbesAlong) {
  const CompileOptions options = for_object("packets");
  DiagSink sink;
  EXPECT_FALSE(run_compiler(options, sink).failed);
  ASSERT_EQ(sink.all().size(), 1u);
  EXPECT_EQ(sink.all()[0].level, Level::warning);
  EXPECT_EQ(sink.all()[0].subject, "reads_packet");
  EXPECT_TRUE(std::filesystem::remove(options.output));
}

TEST(Driver, ARejectedProgramFailsTheFileAndLeavesNothingBehind) {
  const CompileOptions options = for_object("mixed_bad");
  std::filesystem::remove(options.output);
  DiagSink sink;
  EXPECT_TRUE(run_compiler(options, sink).failed);
  EXPECT_FALSE(std::filesystem::exists(options.output));
}

TEST(Driver, WarningsAsErrorsWriteNothing) {
  CompileOptions options = for_object("mixed");
  ASSERT_TRUE(options.warnings.apply("error"));
  std::filesystem::remove(options.output);
  DiagSink sink;
  EXPECT_TRUE(run_compiler(options, sink).failed);
  EXPECT_FALSE(std::filesystem::exists(options.output));
}

TEST(Driver, AnObjectWithoutAnythingToRunIsRefused) {
  CompileOptions options = for_object("mixed");
  options.programs = {"in_kernel"};
  DiagSink sink;
  EXPECT_TRUE(run_compiler(options, sink).failed);
  EXPECT_EQ(sink.all().back().code, Code::kNoProgram);
}

TEST(Driver, EveryStageCanBeLookedAt) {
  for (const Emit emit : {Emit::insns, Emit::cfg, Emit::facts, Emit::llvm_ir_unopt, Emit::llvm_ir,
                          Emit::assembly, Emit::object, Emit::shared_object}) {
    CompileOptions options = for_object("mixed");
    options.emit = emit;
    options.output += std::to_string(static_cast<int>(emit));
    DiagSink sink;
    EXPECT_FALSE(run_compiler(options, sink).failed) << static_cast<int>(emit);
    EXPECT_GT(std::filesystem::file_size(options.output), 20u);
    std::filesystem::remove(options.output);
  }
}

} // namespace
} // namespace bpfaot::aotc::test
