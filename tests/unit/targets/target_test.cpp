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
                        bool is_return = false) {
  const RegSlot* found =
      counterpart(machine(from), slot(machine(from), reg), machine(to), is_return);
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
  EXPECT_EQ(mapped("x86_64", "rax", "aarch64", true), "x0");
  EXPECT_EQ(mapped("x86_64", "rax", "riscv64"), "a0");
  EXPECT_EQ(mapped("x86_64", "r9", "riscv64"), "a5");
  EXPECT_EQ(mapped("x86_64", "rsp", "aarch64"), "sp");
  EXPECT_EQ(mapped("x86_64", "rbp", "riscv64"), "s0");
  EXPECT_EQ(mapped("x86_64", "rip", "riscv64"), "pc");
  EXPECT_EQ(mapped("aarch64", "x30", "riscv64"), "ra");
  EXPECT_EQ(mapped("aarch64", "x7", "riscv64"), "a7");
}

TEST(Targets, ARegisterThatIsArgumentAndResultFollowsTheProgram) {
  EXPECT_EQ(mapped("aarch64", "x0", "x86_64", false), "rdi");
  EXPECT_EQ(mapped("aarch64", "x0", "x86_64", true), "rax");
  EXPECT_EQ(mapped("riscv64", "a0", "aarch64", true), "x0");
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
#endif

TEST(Targets, SlotsAreFoundByAnyOfTheirBytes) {
  const Target& x86 = machine("x86_64");
  EXPECT_EQ(slot_at(x86, 112)->user_name, "rdi");
  EXPECT_EQ(slot_at(x86, 116)->user_name, "rdi");
  EXPECT_EQ(slot_at(x86, 168), nullptr);
}

} // namespace
} // namespace bpfaot::targets
