// SPDX-License-Identifier: MIT
//
// The tables of the machines: names, register maps, and the map between them by meaning.
#include "targets/target.h"

#include <bpfaot/abi.h>

#include <gtest/gtest.h>

#include <set>

namespace bpfaot::targets {
namespace {

const Target& machine(std::string_view name) {
  return **find(name);
}

const RegSlot& slot(const Target& target, std::string_view user_name) {
  for (const RegSlot& candidate : target.pt_regs)
    if (candidate.user_name == user_name)
      return candidate;
  ADD_FAILURE() << "no register " << user_name;
  return target.pt_regs[0];
}

std::string_view mapped(std::string_view from, std::string_view reg, std::string_view to,
                        RegMoment moment = RegMoment::entry) {
  const RegSlot* found =
      counterpart(machine(from), slot(machine(from), reg), machine(to), moment);
  return found == nullptr ? std::string_view("none") : found->user_name;
}

TEST(Targets, AreFoundByNameAliasAndTriple) {
  EXPECT_EQ(machine("x86_64").e_machine, 62);
  EXPECT_EQ(&machine("arm64"), &machine("aarch64"));
  EXPECT_EQ(&machine("aarch64-linux-musl"), &machine("aarch64"));
  EXPECT_EQ(&machine("x86_64-unknown-linux-gnu"), &machine("amd64"));
  EXPECT_EQ(&machine("riscv64-linux-gnu"), &machine("riscv64"));
  EXPECT_EQ(find_machine(243), &machine("riscv64"));
  EXPECT_EQ(find_machine(40), nullptr);
}

TEST(Targets, AnUnknownNameListsTheKnownOnes) {
  const auto found = find("sparc64-linux-gnu");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kTargetUnknown);
  ASSERT_EQ(found.error().hints.size(), 1u);
  EXPECT_NE(found.error().hints[0].find("riscv64"), std::string::npos);
  EXPECT_FALSE(find("x86_64-apple-darwin"));
  EXPECT_FALSE(find(""));
}

TEST(Targets, RegisterSlotsAreConsecutiveAndFillTheContext) {
  for (const Target* target : all()) {
    uint32_t at = 0;
    std::set<std::string_view> names;
    for (const RegSlot& reg : target->pt_regs) {
      EXPECT_EQ(reg.offset, at) << target->name << " " << reg.name;
      at += reg.size;
      EXPECT_TRUE(names.insert(reg.user_name).second) << reg.user_name;
    }
    EXPECT_EQ(at, target->pt_regs_size);
    EXPECT_LE(target->pt_regs.size(), 64u) << "ctx_reads has one bit per slot";
  }
  EXPECT_EQ(machine("x86_64").pt_regs.size(), 21u);
}

TEST(Targets, EveryMachineHasWhatProgramsAskFor) {
  for (const Target* target : all())
    for (const RegMeaning meaning :
         {RegMeaning::arg1, RegMeaning::arg2, RegMeaning::arg3, RegMeaning::arg4, RegMeaning::arg5,
          RegMeaning::arg6, RegMeaning::ret, RegMeaning::sp, RegMeaning::fp, RegMeaning::ip}) {
      int found = 0;
      for (const RegSlot& reg : target->pt_regs)
        found += reg.meaning == meaning || reg.second == meaning;
      EXPECT_EQ(found, 1) << target->name << " meaning " << static_cast<int>(meaning);
    }
}

TEST(Targets, RegistersMapByMeaning) {
  EXPECT_EQ(mapped("x86_64", "rdi", "aarch64"), "x0");
  EXPECT_EQ(mapped("x86_64", "rax", "aarch64", RegMoment::at_return), "x0");
  EXPECT_EQ(mapped("x86_64", "rax", "riscv64"), "a0");
  EXPECT_EQ(mapped("x86_64", "r9", "riscv64"), "a5");
  EXPECT_EQ(mapped("x86_64", "rsp", "aarch64"), "sp");
  EXPECT_EQ(mapped("x86_64", "rbp", "riscv64"), "s0");
  EXPECT_EQ(mapped("x86_64", "rip", "riscv64"), "pc");
  EXPECT_EQ(mapped("aarch64", "x30", "riscv64"), "ra");
  EXPECT_EQ(mapped("aarch64", "x7", "riscv64"), "a7");
}

TEST(Targets, ARegisterThatIsArgumentAndResultFollowsTheProgram) {
  EXPECT_EQ(mapped("aarch64", "x0", "x86_64", RegMoment::entry), "rdi");
  EXPECT_EQ(mapped("aarch64", "x0", "x86_64", RegMoment::at_return), "rax");
  EXPECT_EQ(mapped("riscv64", "a0", "aarch64", RegMoment::at_return), "x0");
}

TEST(Targets, SystemCallsHaveTheirOwnFourthArgumentAndNumber) {
  constexpr RegMoment at = RegMoment::at_syscall;
  EXPECT_EQ(mapped("x86_64", "r10", "aarch64", at), "x3");
  EXPECT_EQ(mapped("aarch64", "x3", "x86_64", at), "r10");
  EXPECT_EQ(mapped("aarch64", "x3", "x86_64"), "rcx");
  EXPECT_EQ(mapped("riscv64", "a3", "aarch64", at), "x3");
  EXPECT_EQ(mapped("x86_64", "r10", "aarch64"), "none") << "scratch at a function's entry";
  EXPECT_EQ(mapped("x86_64", "orig_rax", "riscv64", at), "a7");
  EXPECT_EQ(mapped("riscv64", "a7", "x86_64", at), "orig_rax");
  EXPECT_EQ(mapped("riscv64", "a7", "aarch64"), "x7");
}

TEST(Targets, WhatAMachineDoesNotHaveHasNoCounterpart) {
  EXPECT_EQ(mapped("x86_64", "rbx", "aarch64"), "none");
  EXPECT_EQ(mapped("aarch64", "x30", "x86_64"), "none");
  EXPECT_EQ(mapped("aarch64", "x6", "x86_64"), "none")
      << "the seventh argument is on the stack there";
  EXPECT_EQ(mapped("x86_64", "rbx", "x86_64"), "rbx");
}

TEST(Targets, TheHostHasWhatTheDefaultCpuOfItsRowNeeds) {
  const uint64_t features = host_cpu_features();
  for (const CpuRow& row : host().cpus) {
    if (row.name == host().default_cpu) {
      EXPECT_EQ(row.features & ~features, 0u) << "tests run images for the default CPU on this machine";
    }
  }
}

#if defined(__x86_64__)
TEST(Targets, TheLevelsOfThisProcessorAreThoseThatTheCompilersLibraryFinds) {
  const uint64_t features = host_cpu_features();
  EXPECT_EQ((features & BPFAOT_CPUFEAT_X86_64_V2) != 0, __builtin_cpu_supports("x86-64-v2") != 0);
  EXPECT_EQ((features & BPFAOT_CPUFEAT_X86_64_V3) != 0, __builtin_cpu_supports("x86-64-v3") != 0);
  EXPECT_EQ((features & BPFAOT_CPUFEAT_X86_64_V4) != 0, __builtin_cpu_supports("x86-64-v4") != 0);
}

TEST(Targets, TheFeaturesOfThisProcessorAreThoseThatTheCompilersLibraryFinds) {
  const auto has = [](uint64_t feature) { return (host_cpu_features() & feature) != 0; };
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_POPCNT), __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_BMI1), __builtin_cpu_supports("bmi") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_BMI2), __builtin_cpu_supports("bmi2") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_LZCNT), __builtin_cpu_supports("lzcnt") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_MOVBE), __builtin_cpu_supports("movbe") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_CX16), __builtin_cpu_supports("cmpxchg16b") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_SSE3), __builtin_cpu_supports("sse3") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_SSSE3), __builtin_cpu_supports("ssse3") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_SSE4_1), __builtin_cpu_supports("sse4.1") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_SSE4_2), __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX), __builtin_cpu_supports("avx") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_F16C), __builtin_cpu_supports("f16c") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_FMA), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX2), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX512F), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX512BW), __builtin_cpu_supports("avx512bw") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX512CD), __builtin_cpu_supports("avx512cd") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX512DQ), __builtin_cpu_supports("avx512dq") != 0);
  EXPECT_EQ(has(BPFAOT_CPUFEAT_X86_64_AVX512VL), __builtin_cpu_supports("avx512vl") != 0);
}
#endif

std::string needs(const char* name, std::string_view cpu, std::vector<FeatureChoice> choices,
                  bool uses_vectors) {
  return feature_names(machine(name), required_features(machine(name), cpu, choices, uses_vectors));
}

TEST(Targets, RequireWhatTheProcessorAndTheChoicesAddUpTo) {
  EXPECT_EQ(needs("x86_64", "x86-64-v2", {}, false), "x86-64-v2");
  EXPECT_EQ(needs("x86_64", "x86-64-v2", {{"bmi2", true}}, false), "x86-64-v2, bmi2");
  EXPECT_EQ(needs("x86_64", "x86-64", {{"ssse3", true}}, true), "sse3, ssse3");
  EXPECT_EQ(needs("x86_64", "x86-64", {{"bmi", true}, {"bmi", false}}, true), "");
  EXPECT_EQ(needs("aarch64", "generic", {{"lse", true}, {"dotprod", true}}, true), "lse, dotprod");
  EXPECT_EQ(needs("riscv64", "generic-rv64", {{"zbb", true}}, false), "zbb");
}

TEST(Targets, RequireNoVectorsOfWhoHasNone) {
  EXPECT_EQ(needs("x86_64", "x86-64-v2", {{"avx2", true}, {"bmi", true}}, false), "x86-64-v2, bmi");
  EXPECT_EQ(needs("aarch64", "generic", {{"dotprod", true}}, false), "");
}

TEST(Targets, ALevelWithoutOneOfItsFeaturesIsTheOthers) {
  EXPECT_EQ(needs("x86_64", "x86-64-v2", {{"popcnt", false}}, false), "cx16, sahf");
  EXPECT_EQ(needs("x86_64", "x86-64-v3", {{"bmi2", false}}, false), "x86-64-v2, movbe, lzcnt, bmi");
  EXPECT_EQ(needs("x86_64", "x86-64-v3", {{"avx", false}}, true),
            "x86-64-v2, movbe, lzcnt, bmi, bmi2");
  EXPECT_EQ(needs("x86_64", "x86-64-v3", {{"avx2", false}}, false), "x86-64-v2, x86-64-v3")
      << "there are no vectors, so nothing changes";
}

TEST(Targets, EveryFeatureHasItsOwnBitAndEveryLevelItsFeatures) {
  for (const Target* target : all()) {
    uint64_t seen = 0, levels = 0;
    for (const FeatureRow& row : target->features) {
      EXPECT_EQ(row.bit & (row.bit - 1), 0u) << row.name;
      EXPECT_EQ(seen & row.bit, 0u) << row.name;
      EXPECT_EQ(row.includes & ~seen, 0u) << row.name << " comes after what it includes";
      seen |= row.bit;
    }
    for (const CpuRow& row : target->cpus) {
      EXPECT_EQ(row.members & ~seen, 0u) << row.name;
      levels |= row.own;
    }
    EXPECT_EQ(seen & levels, 0u);
    EXPECT_EQ(target->fenceless_features & ~seen, 0u);
  }
}

TEST(Targets, SlotsAreFoundByAnyOfTheirBytes) {
  const Target& x86 = machine("x86_64");
  EXPECT_EQ(slot_at(x86, 112)->user_name, "rdi");
  EXPECT_EQ(slot_at(x86, 116)->user_name, "rdi");
  EXPECT_EQ(slot_at(x86, 168), nullptr);
}

} // namespace
} // namespace bpfaot::targets
