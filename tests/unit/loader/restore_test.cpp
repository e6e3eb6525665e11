// SPDX-License-Identifier: MIT
//
// Which threads are sent on before jumps are taken out of a process, on machines whose long jump is one
// instruction and on those where it is two; what becomes of calls that have not returned. The process is
// made up.
#include "loader/restore.h"

#include "bpfaot/abi.h"
#include "loader/death_notice.h"
#include "targets/arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
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
  Result<bool> executes(std::span<const CodeRange>) override { return true; }

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
    patches.push_back({at, std::vector<uint8_t>(jump.size(), 1), jump, false});
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

// A session in memory of this process: arena, one thread's slot, a site, and a stack.
class OwnSession : public MadeUpSpace {
public:
  static constexpr uint64_t kSize = 1 << 20, kArena = 1 << 16;

  explicit OwnSession(uint16_t machine) : patcher(*targets::find_patcher(machine)) {
    base_ = static_cast<uint8_t*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const int file = memfd_create("bpf-aot", MFD_CLOEXEC);
    EXPECT_EQ(ftruncate(file, kArena), 0);
    mmap(base_, kArena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    close(file);
    auto* table = reinterpret_cast<bpfaot_thread_table*>(base_ + kArena);
    auto* arena = reinterpret_cast<bpfaot_arena*>(base_);
    thread = reinterpret_cast<bpfaot_thread*>(base_ + 2 * kArena);
    *table = {sizeof *table, 0, sizeof(bpfaot_thread), at(thread), 0, {}};
    arena->table = at(table);
    arena->range_count = arena->mapped_count = 1;
    arena->ranges[0] = arena->mapped[0] = {at(base_), at(base_) + kArena};
    thread->key = 1;
    stack = reinterpret_cast<uint64_t*>(base_ + 8 * kArena);
    return_point = at(base_) + 4096;
  }
  ~OwnSession() override { munmap(base_, kSize); }
  Status read(uint64_t address, std::span<uint8_t> out) override {
    std::memcpy(out.data(), reinterpret_cast<const void*>(address), out.size());
    return {};
  }
  Status write(uint64_t address, std::span<const uint8_t> bytes) override {
    std::memcpy(reinterpret_cast<void*>(address), bytes.data(), bytes.size());
    return {};
  }
  Result<std::vector<int64_t>> system_calls(std::span<const SystemCall> calls, std::span<const SharedFile>) override {
    return std::vector<int64_t>(calls.size());
  }
  static bool is_in(std::span<const CodeRange> ranges, uint64_t address) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const CodeRange& range) { return address - range.low < range.high - range.low; });
  }
  Result<bool> refers_to(std::span<const CodeRange> ranges) override {
    return is_in(ranges, word_on_a_stack) || is_in(ranges, pc);
  }
  Result<bool> executes(std::span<const CodeRange> ranges) override { return is_in(ranges, pc); }

  static uint64_t at(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }
  void push(uint64_t return_address, uint64_t mark) { thread->frames[thread->depth++] = {return_address, mark}; }
  Restored take_out() {
    const uint64_t guard = at(base_) + kSize / 4, site = guard + 64;
    std::vector<SitePatch> patches;
    for (const uint64_t address : {guard, site}) {
      const std::vector<uint8_t> jump = *patcher.encode_jump(address, at(base_) + 8192, kScratch);
      EXPECT_TRUE(write(address, jump));
      patches.push_back({address, std::vector<uint8_t>(jump.size(), 1), jump, address == guard});
    }
    Result<Restored> restored = restore_sites(*this, patcher, patches);
    EXPECT_TRUE(restored);
    EXPECT_EQ(*reinterpret_cast<uint8_t*>(site), 1);
    guard_is_patched = *reinterpret_cast<uint8_t*>(guard) != 1;
    return restored ? *restored : Restored{};
  }

  const targets::Patcher& patcher;
  bpfaot_thread* thread = nullptr;
  uint64_t* stack = nullptr;
  uint64_t return_point = 0, word_on_a_stack = 0, pc = 0;
  bool guard_is_patched = false;

private:
  uint8_t* base_ = nullptr;
};

TEST(Restore, AReturnAddressIsThatOfTheNewestCall) {
  OwnSession space(62);
  space.push(0x111, OwnSession::at(&space.stack[8])); // left behind; its stack was used again
  space.push(0x222, OwnSession::at(&space.stack[16]));
  space.push(0x333, OwnSession::at(&space.stack[8]));
  space.stack[8] = space.stack[16] = space.return_point;
  EXPECT_TRUE(space.take_out().unmapped);
  EXPECT_EQ(space.stack[8], 0x333u);
  EXPECT_EQ(space.stack[16], 0x222u);
}

TEST(Restore, AReturnAddressBehindATailCallIsTheCallers) {
  OwnSession space(62);
  space.push(0x111, OwnSession::at(&space.stack[8]));
  space.push(space.return_point, OwnSession::at(&space.stack[8]));
  space.stack[8] = space.return_point + 256;
  EXPECT_TRUE(space.take_out().unmapped);
  EXPECT_EQ(space.stack[8], 0x111u);
}

TEST(Restore, NothingIsUnmappedBeforeACallReturnsWhosePlaceIsNotKnown) {
  for (const uint16_t machine : {183, 243}) {
    OwnSession space(machine);
    EXPECT_TRUE(space.take_out().unmapped);
    EXPECT_FALSE(space.guard_is_patched);
    space.push(0x111, OwnSession::at(&space.stack[8]) | uint64_t{0x1234} << 48);
    EXPECT_FALSE(space.take_out().unmapped);
    EXPECT_TRUE(space.guard_is_patched);
    space.thread->frames[0].sp |= 2; // an unwinder has put the true address back
    EXPECT_TRUE(space.take_out().unmapped);
    EXPECT_FALSE(space.guard_is_patched);
    space.thread->frames[0].sp = 1; // returned
    EXPECT_TRUE(space.take_out().unmapped);
  }
}

TEST(Restore, GuardsOutliveAThreadThatIsAboutToCall) {
  for (const uint16_t machine : {183, 243}) {
    OwnSession space(machine);
    space.pc = space.return_point; // in a trampoline
    EXPECT_FALSE(space.take_out().unmapped);
    EXPECT_TRUE(space.guard_is_patched);
  }
}

TEST(Restore, AnAddressThatLiesAboutOnAStackKeepsMemoryButNoGuard) {
  for (const uint16_t machine : {183, 243}) {
    OwnSession space(machine);
    space.word_on_a_stack = space.return_point;
    EXPECT_FALSE(space.take_out().unmapped);
    EXPECT_FALSE(space.guard_is_patched);
  }
}

TEST(DeathNotice, DoesNotFollowWhatTheProcessWrote) {
  bpfaot_arena arenas[2] = {};
  {
    DeathNotice notice;
    notice.add(arenas[0]);
    notice.add(arenas[1]);
    arenas[1].robust = 0x10;
  }
  EXPECT_EQ(arenas[0].armed & BPFAOT_DISARMED, BPFAOT_DISARMED);
  EXPECT_EQ(arenas[1].armed & BPFAOT_DISARMED, BPFAOT_DISARMED);
}

} // namespace
} // namespace bpfaot::loader
