// SPDX-License-Identifier: MIT
//
// What compiled programs are fast by: each test looks for one thing in the emitted code, a few
// lines, no goldens. How much each is worth is measured by bench/exec.sh.
#include "aotc/carried_values.h"
#include "tests/unit/aotc/fixture.h"

#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include <regex>

namespace bpfaot::aotc::test {
namespace {

const targets::Target& host_machine() {
  return **targets::find("x86_64");
}

size_t count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

std::string unoptimised(const std::string& program) {
  const std::string ir = compile_text("speed", host_machine(), Emit::llvm_ir_unopt, program);
  const size_t begin = ir.find("@prog." + program + "(ptr %");
  return ir.substr(begin, ir.find("\n}", begin) - begin);
}

TEST(Speed, ATreeOfComparisonsIsASwitchAgain) {
  const std::string ir = unoptimised("many_cases");
  EXPECT_EQ(count(ir, "switch i32"), 1u) << ir;
  EXPECT_EQ(count(ir, "\n +i32 [0-9]+, label"), 8u) << "cases; the others are the default";
  EXPECT_EQ(count(unoptimised("all_cases"), "\n +i32 [0-9]+, label"), 7u)
      << "the verifier knows that there is no ninth";
  EXPECT_EQ(count(unoptimised("few_cases"), "switch i"), 0u) << "comparing is faster";
}

TEST(Speed, TheAddressOfAMapIsLoadedOnceAndNeverNull) {
  for (const targets::Target* target : targets::all()) {
    const std::string ir = compile_text("speed", *target, Emit::llvm_ir, "counting");
    EXPECT_EQ(
        count(ir, "load ptr, ptr getelementptr inbounds \\(i8, ptr @__bpfaot_rt,.*!invariant.load"),
        1u)
        << ir;
    EXPECT_EQ(count(ir, "load i64, ptr getelementptr inbounds \\(i8, ptr @__bpfaot_rt"), 0u) << ir;
    EXPECT_EQ(count(ir, "icmp eq (ptr|i64) %[^,]*, (null|0)"), 0u) << ir;
  }
}

TEST(Speed, SmallLoopsOfKnownLengthGoTwoRoundsAtOnce) {
  const std::string ir = compile_text("speed", host_machine(), Emit::llvm_ir, "counting");
  EXPECT_GE(count(ir, "store atomic i64"), 2u) << ir;
}

TEST(Speed, SmallReadsOfTheOwnStackAreLoads) {
  EXPECT_EQ(count(unoptimised("own_reads"), "call .*@__bpfaot_rt_probe_read"), 0u);
  const std::string ir = compile_text("speed", host_machine(), Emit::llvm_ir, "own_reads");
  EXPECT_EQ(count(ir, "alloca"), 1u) << "only the name, which is indexed, is in memory\n" << ir;
}

TEST(Speed, ReadsOfAnythingElseAreCalls) {
  EXPECT_EQ(count(unoptimised("foreign_reads"), "call .*@__bpfaot_rt_probe_read_kernel"), 3u)
      << "any address; beyond the frame; at a place that varies";
}

class CarriedValues : public testing::Test {
protected:
  // The function `f` after the pass.
  std::string run(const std::string& text) {
    llvm::LLVMContext context;
    llvm::SMDiagnostic error;
    const std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, error, context);
    if (module == nullptr) {
      ADD_FAILURE() << error.getMessage().str();
      return "";
    }
    llvm::PassBuilder builder;
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager calls;
    llvm::ModuleAnalysisManager modules;
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(calls);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, calls, modules);
    CarriedValuesPass().run(*module->getFunction("f"), functions);
    EXPECT_FALSE(llvm::verifyModule(*module, &llvm::errs()));
    std::string result;
    llvm::raw_string_ostream stream(result);
    module->print(stream, nullptr);
    return result;
  }
};

TEST_F(CarriedValues, ASumOfTheRoundBeforeIsNotComputedAgain) {
  const std::string ir = run(R"(
define i64 @f(ptr %p, i64 %n) {
entry:
  br label %loop
loop:
  %a = phi i64 [ 1, %entry ], [ %a.next, %loop ]
  %b = phi i64 [ 2, %entry ], [ %b.next, %loop ]
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %again = add i64 %b, %a
  %a.next = load i64, ptr %p
  %b.next = mul i64 %a.next, %again
  %sum = add nsw i64 %a.next, %b.next
  store i64 %sum, ptr %p
  %i.next = add i64 %i, 1
  %end = icmp eq i64 %i.next, %n
  br i1 %end, label %exit, label %loop
exit:
  ret i64 %again
})");
  EXPECT_EQ(count(ir, "%again = phi i64 \\[ 3, %entry \\], \\[ %sum, %loop \\]"), 1u) << ir;
  EXPECT_EQ(count(ir, "add nsw"), 0u) << "the promise was made for another use";
}

TEST_F(CarriedValues, WhatIsMissingOnOneWayIsLeftAlone) {
  const std::string text = R"(
define i64 @f(ptr %p, i64 %n, i64 %x) {
entry:
  br label %loop
loop:
  %a = phi i64 [ %x, %entry ], [ %a.next, %loop ]
  %b = phi i64 [ %n, %entry ], [ %b.next, %loop ]
  %again = sub i64 %a, %b
  %a.next = load i64, ptr %p
  %b.next = mul i64 %a.next, %again
  %difference = sub i64 %b.next, %a.next
  store i64 %difference, ptr %p
  %end = icmp eq i64 %difference, %n
  br i1 %end, label %exit, label %loop
exit:
  ret i64 %again
})";
  EXPECT_EQ(count(run(text), "%again = sub i64 %a, %b"), 1u)
      << "the other order is another difference, and the entry has neither";
}

} // namespace
} // namespace bpfaot::aotc::test
