// SPDX-License-Identifier: MIT
//
// The contract of the lowering, on the emitted code: a few lines each, no goldens.
#include "tests/unit/aotc/fixture.h"

#include <regex>

namespace bpfaot::aotc::test {
namespace {

const targets::Target& machine(const char* name) {
  return **targets::find(name);
}

// The text of one function of printed IR, assembly or listing.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  if (from == std::string::npos) {
    ADD_FAILURE() << "no '" << begin << "'";
    return "";
  }
  return text.substr(from, text.find(end, from) - from);
}

size_t count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

TEST(Lowering, SharedMemoryIsReadWithUnorderedLoadsThatAreNotRepeated) {
  const std::string ir = compile_text("probes", machine("x86_64"), Emit::llvm_ir_unopt, "record");
  const std::string program = between(ir, "@prog.record(", "\n}");
  // `total` is in .bss, which every process of the session writes.
  EXPECT_EQ(count(program, "load atomic i64, .* unordered, align 8"), 1u);
  EXPECT_EQ(count(program, "store atomic i64 .* unordered, align 8"), 1u);
  // `threshold` is in .rodata, which nobody writes.
  EXPECT_EQ(count(program, "load i64, .*!invariant.load"), 1u);
}

TEST(Lowering, WhatIsNotNaturallyAlignedIsReadByBytes) {
  for (const targets::Target* target : targets::all()) {
    const std::string ir = compile_text("probes", *target, Emit::llvm_ir_unopt, "arguments");
    const std::string program = between(ir, "@prog.arguments(", "\n}");
    EXPECT_EQ(count(program, "load atomic i8, .* unordered, align 1"), 8u);
    EXPECT_EQ(count(program, "store atomic i8 .* unordered, align 1"), 8u);
    EXPECT_EQ(count(program, "atomic i64"), 0u) << "would become a library call";
  }
}

TEST(Lowering, RecordsAndFramesArePlain) {
  const std::string ir = compile_text("probes", machine("x86_64"), Emit::llvm_ir_unopt, "record");
  EXPECT_EQ(count(between(ir, "@prog.record(", "\n}"), " atomic "), 2u)
      << "the load and store of `total`";
}

TEST(Lowering, TellsLlvmNothingThatIsNotTrue) {
  const std::string ir =
      compile_text("probes", machine("x86_64"), Emit::llvm_ir_unopt, "arguments");
  const std::string program =
      between(ir, "@prog.arguments(", "\n}") + between(ir, "@prog.arguments.mix(", "\n}");
  for (const char* word : {"nsw", "nuw", "inbounds", "mustprogress", "exact", "noundef"})
    EXPECT_EQ(program.find(word), std::string::npos) << word;
  EXPECT_EQ(ir.find("mustprogress"), std::string::npos) << "nor does the runtime";
}

TEST(Lowering, CountingProbeIsACompareFreeIncrement) {
  const std::string text = compile_text("probes", machine("x86_64"), Emit::assembly, "count");
  const std::string entry = between(text, "entry.count:", ".Lfunc_end");
  EXPECT_EQ(count(entry, "lock"), 1u);
  EXPECT_EQ(count(entry, "push|call"), 0u) << entry;
  EXPECT_EQ(count(entry, "cmp|test"), 0u) << "the index is below the compiled size\n" << entry;
}

TEST(Lowering, EntriesStandOnCacheLines) {
  const std::string text = compile_text("probes", machine("x86_64"), Emit::assembly, "count");
  EXPECT_NE(text.find(".p2align\t6"), std::string::npos);
}

TEST(Lowering, AttachedProgramsUseNoVectorRegisters) {
  const std::pair<const char*, const char*> machines[] = {
      {"x86_64", "%[xyz]mm[0-9]"},
      {"aarch64", "[^a-z0-9.][qdsv][0-9]+[^a-z0-9]"},
      {"riscv64", "[^a-z]f[ats][0-9]+[^a-z0-9]|vset"}};
  for (const auto& [name, registers] : machines) {
    CompileOptions options;
    options.emit = Emit::assembly;
    const auto bytes = compile("probes", machine(name), options);
    ASSERT_TRUE(bytes) << bytes.error().message;
    std::string text;
    // Instructions only: directives and labels may contain such names.
    const std::string all(bytes->begin(), bytes->end());
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find('\n', at), all.size());
      if (all[at] == '\t' && at + 1 < end && all[at + 1] != '.')
        text += all.substr(at, all.find('#', at) < end ? all.find('#', at) - at : end - at) + "\n";
      at = end + 1;
    }
    EXPECT_EQ(count(text, registers), 0u) << name;
  }
}

TEST(Lowering, ARegisterWithoutCounterpartIsRefusedByName) {
  const auto image = compile("registers", machine("aarch64"));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Code::kCtxNoCounterpart);
  EXPECT_NE(image.error().message.find("rbx"), std::string::npos) << image.error().message;
  EXPECT_TRUE(image.error().slot.has_value());
  EXPECT_TRUE(compile("registers", machine("x86_64")));
}

} // namespace
} // namespace bpfaot::aotc::test
