// SPDX-License-Identifier: MIT
//
// Which threads are sent on before jumps are taken out of a process, on machines whose long jump is one
// instruction and on those where it is two. The process is made up.
#include "loader/restore.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <map>

namespace bpfaot::loader {
namespace {

class MadeUpSpace : public LiveSpace {
public:
  int pid() const override { return getpid(); } // whose maps hold no arena
  Status read(uint64_t address, std::span<uint8_t> out) override {
    std::memcpy(out.data(), memory.at(address).data(), out.size());
    return {};
  }
  Status write(uint64_t address, std::span<const uint8_t> bytes) override {
    memory.at(address).assign(bytes.begin(), bytes.end());
    return {};
  }
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall>, std::span<const SharedFile>) override {
    return fail(Code::kRemoteCall, "none are made here");
  }
  Status hold() override { return {}; }
  void release(bool) override {}
  Result<std::vector<Leave>> leave(std::span<const CoveredCode> codes) override {
    left.assign(codes.begin(), codes.end());
    return std::vector<Leave>(codes.size(), Leave::clear);
  }
  Result<bool> refers_to(std::span<const CodeRange>) override { return true; }

  std::map<uint64_t, std::vector<uint8_t>> memory;
  std::vector<CoveredCode> left;
};

constexpr uint64_t kSite = 0x10000, kGap = 0x20000, kTrampoline = 0x1000000;
constexpr targets::Scratch kScratch{6, 6};

// Takes a site out that jumps by itself, or through a gap.
MadeUpSpace restore(uint16_t machine, bool through_gap) {
  const targets::Patcher& patcher = *targets::find_patcher(machine);
  std::vector<SitePatch> patches;
  const auto add = [&](uint64_t at, const std::vector<uint8_t>& jump) {
    patches.push_back({at, std::vector<uint8_t>(jump.size(), 1), jump});
  };
  if (through_gap) {
    add(kGap, *patcher.encode_jump(kGap, kTrampoline, kScratch));
    add(kSite, *patcher.encode_short_jump(kSite, kGap));
  } else {
    add(kSite, *patcher.encode_jump(kSite, kTrampoline, kScratch));
  }
  MadeUpSpace space;
  for (const SitePatch& patch : patches) {
    space.memory[patch.address] = patch.patched;
  }
  EXPECT_TRUE(restore_sites(space, patcher, patches));
  for (const SitePatch& patch : patches) {
    EXPECT_EQ(space.memory[patch.address], patch.original);
  }
  return space;
}

TEST(Restore, AJumpOfOneInstructionIsNeverHalfDone) { EXPECT_TRUE(restore(62, false).left.empty()); }

TEST(Restore, AThreadBetweenTheTwoInstructionsOfAJumpGoesOnInTheTrampoline) {
  const MadeUpSpace space = restore(243, false);
  ASSERT_EQ(space.left.size(), 1u);
  EXPECT_EQ(space.left[0].address, kSite);
  EXPECT_EQ(space.left[0].trampoline, kTrampoline);
  EXPECT_FALSE(space.left[0].from_start);
  ASSERT_EQ(space.left[0].moved.size(), 1u);
  EXPECT_EQ(space.left[0].moved[0].from, 4u);
  EXPECT_EQ(space.left[0].moved[0].to, 0u);
}

TEST(Restore, AThreadAtTheStartOfAGapGoesOnInTheTrampolineToo) {
  const MadeUpSpace space = restore(243, true);
  ASSERT_EQ(space.left.size(), 1u);
  EXPECT_EQ(space.left[0].address, kGap);
  EXPECT_TRUE(space.left[0].from_start);
  ASSERT_EQ(space.left[0].moved.size(), 2u);
  EXPECT_EQ(space.left[0].moved[0].from, 0u);
  EXPECT_EQ(space.left[0].moved[1].from, 4u);
}

} // namespace
} // namespace bpfaot::loader
