// SPDX-License-Identifier: MIT
//
// The instruction set: every case through the reference interpreter and through verifier, lowering,
// linker and native code of each machine. All cases of a file are programs of one image, so that a
// machine is started once.
#include "conformance/bare_module.h"
#include "conformance/runner.h"
#include "tests/insn/bare_world.h"
#include "tests/insn/cases.h"
#include "unit/verifier/assemble.h"

#include <gtest/gtest.h>

namespace bpfaot::tests {
namespace {

constexpr size_t kPublicCases = 186;

using Cases = std::vector<IsaCase>;

const Cases& cases_of(const std::string& which) {
  static const Cases published = public_cases(TEST_CONFORMANCE), traps = trap_cases();
  return which == "published" ? published : traps;
}

// The module with the accepted cases, and which they are.
struct Accepted {
  conformance::BareModule module{"cases"};
  std::vector<const IsaCase*> cases;
};

void accept(const Cases& cases, Accepted& accepted) {
  for (const IsaCase& one : cases) {
    std::optional<bpf::MapId> memory;
    if (!one.memory.empty())
      memory = accepted.module.add_memory(one.memory);
    const auto index =
        accepted.module.add("p" + std::to_string(accepted.cases.size()), one.code, memory);
    if (!index) {
      EXPECT_EQ(code_text(index.error().code), one.refusal)
          << one.name << ": " << index.error().message;
      continue;
    }
    EXPECT_EQ(one.refusal, "") << one.name << " is accepted";
    accepted.cases.push_back(&one);
  }
}

TEST(Isa, there_are_all_public_cases) {
  EXPECT_EQ(cases_of("published").size(), kPublicCases);
}

class EachFile : public testing::TestWithParam<const char*> {};

TEST_P(EachFile, runs_in_the_interpreter) {
  Accepted accepted;
  accept(cases_of(GetParam()), accepted);
  for (size_t i = 0; i < accepted.cases.size(); ++i) {
    const IsaCase& one = *accepted.cases[i];
    Memory memory;
    BareWorld world(memory, one.memory.empty() ? std::vector<uint8_t>(1) : one.memory);
    const Outcome outcome =
        Interpreter(accepted.module.programs()[i].program(), memory, world, 100'000'000).run({});
    ASSERT_TRUE(outcome.r0) << one.name << ": " << outcome.problem;
    EXPECT_EQ(*outcome.r0, one.expected) << one.name;
  }
}

class EachMachine : public testing::TestWithParam<std::tuple<const char*, const char*, int>> {};

TEST_P(EachMachine, runs_as_native_code) {
  const auto& [which, name, level] = GetParam();
  const targets::Target& target = **targets::find(name);
  if (const Status runner = conformance::check_runner(target, TEST_RESOURCES); !runner)
    GTEST_SKIP() << runner.error().message;
  Accepted accepted;
  accept(cases_of(which), accepted);
  const auto image = accepted.module.compile(target, TEST_RESOURCES, level);
  ASSERT_TRUE(image) << image.error().message;
  const auto results = conformance::run_image(target, TEST_RESOURCES, *image);
  ASSERT_TRUE(results) << results.error().message;
  for (size_t i = 0; i < accepted.cases.size(); ++i) {
    ASSERT_LT(i, results->size()) << accepted.cases[i]->name << " does not come back";
    EXPECT_EQ((*results)[i].r0, accepted.cases[i]->expected) << accepted.cases[i]->name;
  }
}

// A machine shows a missing barrier too rarely to test for it; what is asked of LLVM shows it
// always.
TEST(Ordering, is_the_kernels) {
  const auto program = verifier::test::assemble(R"(
    r0 = 0
    lock *(u64 *)(r1 +0) += r0
    r0 = atomic_fetch_or((u32 *)(r1 +0), r0)
    r0 = atomic64_xchg((u64 *)(r1 +0), r0)
    r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)
    r0 = load_acquire((u16 *)(r1 +0))
    store_release((u8 *)(r1 +0), r0)
    exit)");
  conformance::BareModule module("ordering");
  const auto memory = module.add_memory(std::vector<uint8_t>(8));
  ASSERT_TRUE(module.add("p", encoded(*program), memory));
  aotc::CompileOptions options;
  options.resource_dir = TEST_RESOURCES;
  options.emit = aotc::Emit::llvm_ir_unopt;
  struct Row {
    const char* machine;
    size_t fences;
  };
  // x86_64 needs none, riscv64 one for cmpxchg, aarch64 one for each that fetches.
  for (const auto& [machine, fences] : {Row{"x86_64", 0}, Row{"riscv64", 1}, Row{"aarch64", 3}}) {
    const auto bytes = module.compile(**targets::find(machine), options);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const std::string text(bytes->begin(), bytes->end());
    const size_t begin = text.find("@prog.p(");
    const std::string body = text.substr(begin, text.find("\n}", begin) - begin);
    size_t found = 0;
    for (size_t at = 0; (at = body.find("fence seq_cst", at)) != std::string::npos; ++at)
      ++found;
    EXPECT_EQ(found, fences) << machine;
    for (const char* part :
         {"atomicrmw add ptr %", "i64 %", "monotonic, align 8", "atomicrmw or ptr",
          "seq_cst, align 4", "atomicrmw xchg ptr", "seq_cst, align 8", "cmpxchg ptr",
          "seq_cst seq_cst, align 8", "load atomic i16", "acquire, align 2", "store atomic i8",
          "release, align 1"})
      EXPECT_NE(body.find(part), std::string::npos) << machine << ": " << part << "\n" << body;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EachFile, testing::Values("published", "traps"),
                         [](const auto& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Cases, EachMachine,
                         testing::Combine(testing::Values("published", "traps"),
                                          testing::Values("x86_64", "aarch64", "riscv64"),
                                          testing::Values(0, 2)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param) + "_O" +
                                  std::to_string(std::get<2>(info.param));
                         });

} // namespace
} // namespace bpfaot::tests
