// SPDX-License-Identifier: MIT
//
// Stack traces over made-up stacks, and the map that keeps them: by one thread, by many threads of
// many processes, with killed ones.
#include "tests/unit/minirt/processes.h"

#include <array>
#include <cerrno>
#include <gtest/gtest.h>
#include <set>

using namespace bpfaot::test;

#if defined(__x86_64__) // the layout of registers and frames below is this machine's
namespace {

constexpr uint32_t kStackTrace = 7;
enum : uint64_t { kUser = 1 << 8, kFast = 1 << 9, kReuse = 1 << 10 };

struct Regs {
  std::array<uint64_t, 21> words{};
  uint64_t& ip() { return words[16]; }
  uint64_t& sp() { return words[19]; }
  uint64_t& fp() { return words[4]; }
};

// Frames in memory of their own, the innermost first: fp -> {next fp, return address}.
struct FakeStack {
  std::vector<uint64_t> memory;
  Regs regs;
  explicit FakeStack(const std::vector<uint64_t>& returns, uint64_t ip = 0x1000)
      : memory(returns.size() * 4 + 8) {
    regs.ip() = ip;
    regs.sp() = at(0);
    regs.fp() = returns.empty() ? 0 : at(2);
    for (size_t i = 0; i < returns.size(); i++) {
      memory[2 + 4 * i] = i + 1 < returns.size() ? at(2 + 4 * (i + 1)) : 0;
      memory[3 + 4 * i] = returns[i];
    }
  }
  uint64_t at(size_t word) const { return reinterpret_cast<uint64_t>(&memory[word]); }
};

std::vector<uint64_t> walk(FakeStack& stack, uint64_t flags = kUser,
                           const bpfaot_site* site = nullptr, int64_t* result = nullptr,
                           size_t room = 127) {
  bpfaot_env env{};
  env.site = site;
  std::vector<uint64_t> pcs(room, ~0ull);
  const auto r = static_cast<int64_t>(
      __bpfaot_rt_get_stack(&env, stack.regs.words.data(), pcs.data(), room * 8, flags));
  if (result)
    *result = r;
  for (size_t i = r > 0 ? static_cast<size_t>(r) / 8 : 0; i < room; i++)
    EXPECT_EQ(pcs[i], 0u) << "the rest is zero";
  pcs.resize(r > 0 ? static_cast<size_t>(r) / 8 : 0);
  return pcs;
}

int64_t id_of(const bpfaot_map_desc& desc, FakeStack& stack, uint64_t flags = 0) {
  bpfaot_env env{};
  return static_cast<int64_t>(
      __bpfaot_rt_get_stackid(&env, stack.regs.words.data(), &desc, kUser | flags));
}

using Addresses = std::vector<uint64_t>;

struct Ranges {
  uint64_t count = 1, low = 0xa000, high = 0xb000;
};

} // namespace

TEST(StackTrace, follows_the_frames) {
  reset_runtime();
  FakeStack stack({0x2000, 0x3000, 0x4000});
  EXPECT_EQ(walk(stack), (Addresses{0x1000, 0x2000, 0x3000, 0x4000}));
  EXPECT_EQ(walk(stack, kUser | 2), (Addresses{0x3000, 0x4000}));
  EXPECT_EQ(walk(stack, kUser | 1, nullptr, nullptr, 2), (Addresses{0x2000, 0x3000}));
  int64_t result;
  walk(stack, kUser | 4, nullptr, &result);
  EXPECT_EQ(result, 0) << "as many as there are";
  walk(stack, kUser | 5, nullptr, &result);
  EXPECT_EQ(result, -EFAULT);
  walk(stack, 0, nullptr, &result);
  EXPECT_EQ(result, -EFAULT) << "no kernel stack";
  walk(stack, kUser | 1 << 11, nullptr, &result);
  EXPECT_EQ(result, -EINVAL);
}

TEST(StackTrace, ends_at_what_cannot_be_read_and_after_127) {
  reset_runtime();
  FakeStack stack({0x2000, 0x3000});
  stack.memory[6] = 0xdead0000dead0000; // the last frame's caller
  EXPECT_EQ(walk(stack), (Addresses{0x1000, 0x2000, 0x3000}));
  stack.memory[6] = 16;
  EXPECT_EQ(walk(stack), (Addresses{0x1000, 0x2000, 0x3000}));
  stack.memory[6] = stack.at(2); // round and round
  EXPECT_EQ(walk(stack).size(), 127u);
  FakeStack deep(Addresses(200, 0x5000));
  EXPECT_EQ(walk(deep).size(), 127u);
  FakeStack none({});
  EXPECT_EQ(walk(none), (Addresses{0x1000}));
}

TEST(StackTrace, reads_up_to_the_end_of_a_mapping) {
  reset_runtime();
  auto* page = static_cast<uint8_t*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(page + 4096, 4096);
  const uint64_t record[2] = {0, 0x2000};
  FakeStack stack({});
  for (uint64_t off : {4096u - 16u, 4096u - 13u - 8u}) {
    std::memcpy(page + off, record, 16);
    stack.regs.fp() = reinterpret_cast<uint64_t>(page) + off;
    EXPECT_EQ(walk(stack), (Addresses{0x1000, 0x2000})) << off;
  }
  stack.regs.fp() = reinterpret_cast<uint64_t>(page) + 4096 - 8; // half of it is there
  EXPECT_EQ(walk(stack), (Addresses{0x1000}));
  munmap(page, 4096);
}

TEST(StackTrace, has_the_caller_at_a_functions_entry) {
  reset_runtime();
  FakeStack stack({0x3000});
  stack.memory[0] = 0x2000; // at sp
  bpfaot_site site{};
  site.flags = BPFAOT_SITE_ARMED;
  EXPECT_EQ(walk(stack, kUser, &site), (Addresses{0x1000, 0x3000}));
  site.flags |= BPFAOT_SITE_ENTRY;
  EXPECT_EQ(walk(stack, kUser, &site), (Addresses{0x1000, 0x2000, 0x3000}));
}

TEST(StackTrace, shows_true_addresses_for_return_points) {
  reset_runtime();
  bpfaot_env env{};
  ASSERT_TRUE(__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_GUARD)); // registers the thread
  bpfaot_thread* thread = env.thread;
  __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_GUARD);
  FakeStack stack({0xa010, 0x3000, 0xa020, 0x5000});
  stack.memory[0] = 0xa010;
  const Ranges ranges;
  bpfaot_site site{};
  site.flags = BPFAOT_SITE_ENTRY;
  site.ranges = reinterpret_cast<uint64_t>(&ranges);
  // Outermost first. The second one was left by longjmp, the fourth by a tail call of the fifth.
  thread->frames[0] = {0x4000, stack.at(11)};
  thread->frames[1] = {0x6666, stack.at(0) - 64};
  thread->frames[2] = {0x2000, stack.at(3)};
  thread->frames[3] = {0x1500, stack.at(0)};
  thread->frames[4] = {0xa0f0, stack.at(0)};
  thread->depth = 5;
  EXPECT_EQ(walk(stack, kUser, &site), (Addresses{0x1000, 0x1500, 0x2000, 0x3000, 0x4000, 0x5000}));
  thread->depth = 0;
}

TEST(StackMap, keeps_each_stack_once_under_its_id) {
  reset_runtime();
  TestMap map(kStackTrace, 4, 8 * 8, 100);
  const bpfaot_map_desc desc = map.desc(0);
  FakeStack a({0x2000, 0x3000}), b({0x2000, 0x3001});
  const int64_t first = id_of(desc, a), second = id_of(desc, b);
  ASSERT_GE(first, 0);
  ASSERT_LT(first, 128);
  EXPECT_EQ(id_of(desc, a), first);
  EXPECT_NE(first, second);
  const auto id = static_cast<uint32_t>(first);
  const auto* pcs = static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &id, 0));
  ASSERT_NE(pcs, nullptr);
  EXPECT_EQ(Addresses(pcs, pcs + 8), (Addresses{0x1000, 0x2000, 0x3000, 0, 0, 0, 0, 0}));
  uint32_t next = 0;
  std::set<uint32_t> ids;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &next); r == 0;
       r = bpfaot_map_next_key(&map.view, &next, &next))
    ids.insert(next);
  EXPECT_EQ(ids, (std::set<uint32_t>{id, static_cast<uint32_t>(second)}));
  EXPECT_EQ(bpfaot_map_delete(&map.view, &id), 0);
  EXPECT_EQ(bpfaot_map_delete(&map.view, &id), -ENOENT);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &id, 0), nullptr);
  uint32_t outside = 128;
  EXPECT_EQ(bpfaot_map_delete(&map.view, &outside), -E2BIG);
  EXPECT_EQ(bpfaot_map_lookup(&map.view, &outside, 0), nullptr);
  EXPECT_EQ(bpfaot_map_update(&map.view, &id, pcs, 0, 0), -EINVAL);
  EXPECT_EQ(id_of(desc, a), first) << "comes back under the same id";
}

TEST(StackMap, a_bucket_that_is_taken_answers_by_the_flags) {
  reset_runtime();
  TestMap map(kStackTrace, 4, 4 * 8, 2); // two buckets, two elements
  const bpfaot_map_desc desc = map.desc(0);
  std::vector<FakeStack> zero; // stacks whose id is 0
  for (uint64_t n = 0; zero.size() < 3; n++) {
    TestMap fresh(kStackTrace, 4, 4 * 8, 2);
    const bpfaot_map_desc other = fresh.desc(1);
    FakeStack stack({0x2000 + n});
    if (id_of(other, stack) == 0)
      zero.push_back(std::move(stack));
  }
  EXPECT_EQ(id_of(desc, zero[0]), 0);
  EXPECT_EQ(id_of(desc, zero[1]), -EEXIST);
  EXPECT_EQ(id_of(desc, zero[1], kFast), -EEXIST) << "the hashes differ";
  EXPECT_EQ(id_of(desc, zero[0], kFast), 0);
  EXPECT_EQ(id_of(desc, zero[1], kReuse), 0);
  EXPECT_EQ(id_of(desc, zero[0]), -EEXIST);
  EXPECT_EQ(id_of(desc, zero[2], kReuse | kFast), 0);
  for (uint64_t n = 0;; n++) { // the other bucket takes the last element
    FakeStack stack({0x9000 + n});
    const int64_t r = id_of(desc, stack);
    if (r == 1)
      break;
    ASSERT_EQ(r, -EEXIST);
  }
  EXPECT_EQ(id_of(desc, zero[0], kReuse), -ENOMEM) << "the old one is freed after the new is there";
  EXPECT_EQ(id_of(desc, zero[2], kReuse), 0) << "it is there";
}

TEST(StackMap, layout_refuses_what_the_kernel_refuses) {
  EXPECT_EQ(TestMap(kStackTrace, 8, 8, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kStackTrace, 4, 12, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kStackTrace, 4, 128 * 8, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kStackTrace, 4, 8, 0).layout, -EINVAL);
  EXPECT_EQ(TestMap(kStackTrace, 4, 8, 1, 1).layout, -EINVAL);
  EXPECT_EQ(TestMap(kStackTrace, 4, 127 * 8, 1).layout, 0);
}

namespace {
// Replaces, looks up and deletes; every stack is {0x1000, n, 3n}, so that a mixture is seen.
bool churn(const bpfaot_map_desc& desc, const TestMap& map, uint64_t n) {
  const uint64_t value = 0x2000 + n % 64;
  FakeStack stack({value, value * 3});
  const int64_t id = id_of(desc, stack, kReuse);
  if (id < 0 && id != -ENOMEM)
    return false;
  const uint32_t key = static_cast<uint32_t>(n * 7 % 32);
  if (n % 5 == 0) {
    const int r = bpfaot_map_delete(&map.view, &key);
    return r == 0 || r == -ENOENT;
  }
  return true;
}

void expect_whole_and_all_room(const TestMap& map) {
  uint32_t id = 0;
  std::set<uint32_t> ids;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &id); r == 0;
       r = bpfaot_map_next_key(&map.view, &id, &id)) {
    const auto* pcs = static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &id, 0));
    ASSERT_NE(pcs, nullptr);
    ASSERT_EQ(pcs[0], 0x1000u);
    ASSERT_EQ(pcs[2], pcs[1] * 3);
    ids.insert(id);
  }
  for (uint32_t key : ids)
    ASSERT_EQ(bpfaot_map_delete(&map.view, &key), 0);
  const bpfaot_map_desc desc = map.desc(0);
  ids.clear();
  for (uint64_t n = 0; n < 4000 && ids.size() < map.header->max_entries; n++) {
    FakeStack stack({0x2000 + n, (0x2000 + n) * 3});
    const int64_t r = id_of(desc, stack);
    ASSERT_TRUE(r >= 0 || r == -EEXIST) << r << " with " << ids.size();
    if (r >= 0)
      ids.insert(static_cast<uint32_t>(r));
  }
  ASSERT_EQ(ids.size(), map.header->max_entries) << "an element is lost";
}
} // namespace

TEST(StackMapStress, stays_whole_under_many) {
  reset_runtime();
  TestMap map(kStackTrace, 4, 4 * 8, 32);
  const bpfaot_map_desc desc = map.desc(0);
  EXPECT_TRUE(run_everywhere([&](int worker) {
    for (uint64_t i = 0; i < 5000; i++)
      if (!churn(desc, map, i * 13 + static_cast<uint64_t>(worker)))
        return false;
    return true;
  }));
  expect_whole_and_all_room(map);
}

TEST(StackMapStress, killed_ones_lose_nothing) {
  reset_runtime();
  TestMap map(kStackTrace, 4, 4 * 8, 32);
  const bpfaot_map_desc desc = map.desc(0);
  std::mt19937 random(3);
  for (int i = 0; i < 150; i++) {
    kill_during(random, [&, n = uint64_t{random()}]() mutable { churn(desc, map, n++); });
    expect_whole_and_all_room(map);
    if (HasFatalFailure())
      return;
  }
}
#endif
