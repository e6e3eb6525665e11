// SPDX-License-Identifier: MIT
//
// Tail calls in images: what their entries prepare, that frames are dropped, and what the kernel would
// refuse to load.
#include "tests/unit/aotc/fixture.h"

#include "aotc/prog_arrays.h"

namespace bpfaot::aotc::test {
namespace {

class TailCalls : public testing::TestWithParam<const targets::Target*> {
protected:
  Opened image(const char* name, int level = 2) {
    CompileOptions options;
    options.opt_level = level;
    auto bytes = compile(name, *GetParam(), options);
    EXPECT_TRUE(bytes) << bytes.error().message;
    return open_image(std::move(*bytes));
  }
};

TEST_P(TailCalls, PrepareWhatAnyProgramOfTheirKindNeeds) {
  const Opened opened = image("tails");
  const bpfaot_program &calls = opened.program("calls"), &heavy = opened.program("heavy"),
                       &light = opened.program("light"), &apart = opened.program("apart");
  EXPECT_TRUE(calls.flags & BPFAOT_PROG_TAIL_CALLS);
  EXPECT_TRUE(calls.flags & BPFAOT_PROG_NEEDS_CPU);
  EXPECT_TRUE(calls.capabilities & BPFAOT_CAP_PER_CPU);
  EXPECT_EQ(calls.ctx_reads & heavy.ctx_reads, heavy.ctx_reads);
  EXPECT_NE(calls.ctx_reads, heavy.ctx_reads) << "and its own";
  EXPECT_EQ(light.flags & (BPFAOT_PROG_TAIL_CALLS | BPFAOT_PROG_NEEDS_CPU), 0u);
  EXPECT_EQ(light.ctx_reads, 0u);
  EXPECT_EQ(apart.flags, 0u) << "another kind";
  EXPECT_GT(calls.stack_bytes + 64, heavy.stack_bytes) << "but for the frames of their entries";
}

TEST_P(TailCalls, NameProgramsInSlots) {
  const Opened opened = image("tails");
  const auto values = opened.table<bpfaot_map_value>(opened.place.desc.map_values);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].index, 1u);
  EXPECT_EQ(opened.text(opened.programs[values[0].target_program].name), "heavy");
  EXPECT_EQ(values[1].index, 3u);
  EXPECT_EQ(opened.text(opened.programs[values[1].target_program].name), "light");
}

// Those of a program leave no frame; those of a function leave its callers', at most 33 times.
TEST_P(TailCalls, CountTheFramesThatStay) {
  const uint32_t flat = image("tails").program("calls").stack_bytes;
  const uint32_t nested = image("tails_nested").program("nests").stack_bytes;
  EXPECT_LT(flat, 2000u);
  EXPECT_GT(nested, 33u * 128);
  EXPECT_LT(nested, 33u * 1024);
}

TEST_P(TailCalls, CompileWithoutOptimisation) {
  const Opened opened = image("tails_nested", 0);
  EXPECT_GT(opened.program("nests").stack_bytes, 33u * 128);
}

TEST_P(TailCalls, AreJumps) {
  const std::string text = compile_text("tails", *GetParam(), Emit::llvm_ir, "calls");
  EXPECT_NE(text.find("musttail call"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Machines, TailCalls, testing::ValuesIn(targets::all().begin(), targets::all().end()),
                         [](const auto& machine) { return std::string(machine.param->name); });

TEST(ProgArrays, MissProgramsThatAreNotCompiled) {
  const auto object = read_test_object("tails");
  CompileOptions options;
  options.programs = {"calls", "light"};
  std::vector<verifier::VerifiedProgram> programs;
  for (ProgramVerdict& verdict : analyse(object, options))
    programs.push_back(std::move(*verdict.verified));
  const std::vector<Diagnostic> found = check_prog_arrays(*object, programs);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].code, Code::kTailTarget);
  EXPECT_EQ(found[0].level, Level::warning);
}

} // namespace
} // namespace bpfaot::aotc::test
