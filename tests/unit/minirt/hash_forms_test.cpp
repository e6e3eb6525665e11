// SPDX-License-Identifier: MIT
//
// Per-CPU and LRU hash maps: what differs from a plain hash, by one thread; then with many threads
// of many processes, killed and stopped ones.
#include "tests/unit/minirt/processes.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <set>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kPerCpuHash = 5, kLruHash = 9, kLruPerCpuHash = 10;

struct Program { // one run, on a CPU slot
  const TestMap& map;
  bpfaot_map_desc desc;
  bpfaot_env env{};
  Program(const TestMap& m, uint32_t cpu) : map(m), desc(m.desc(0)) { env.cpu = cpu; }
  int64_t put(uint64_t key, uint64_t value, uint64_t flags = 0) {
    return static_cast<int64_t>(__bpfaot_rt_map_update_elem(&env, &desc, &key, &value, flags));
  }
  uint64_t* find(uint64_t key) {
    return static_cast<uint64_t*>(__bpfaot_rt_map_lookup_elem(&env, &desc, &key));
  }
  uint64_t* find(uint64_t key, uint32_t cpu) {
    return static_cast<uint64_t*>(__bpfaot_rt_map_lookup_percpu_elem(&env, &desc, &key, cpu));
  }
};

std::set<uint64_t> keys_of(const TestMap& map) {
  std::set<uint64_t> keys;
  uint64_t key = 0;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &key); r == 0;
       r = bpfaot_map_next_key(&map.view, &key, &key))
    EXPECT_TRUE(keys.insert(key).second) << "twice: " << key;
  return keys;
}

// After twice the map's size of new keys no mark is left, and from then on the keys that stay are
// the last ones: as many as the map has room for, if no element was lost.
void expect_all_room(const TestMap& map, uint64_t from) {
  const uint64_t room = map.header->max_entries;
  for (uint64_t i = 0; i < 4 * room; i++) {
    const uint64_t key = from + i, value[2] = {key, ~key};
    ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 0, 0), 0);
  }
  std::set<uint64_t> last;
  for (uint64_t i = 3 * room; i < 4 * room; i++)
    last.insert(from + i);
  ASSERT_EQ(keys_of(map), last);
}
} // namespace

TEST(PerCpuHash, a_new_element_of_a_program_is_zero_elsewhere) {
  for (uint32_t type : {kPerCpuHash, kLruPerCpuHash}) {
    reset_runtime();
    TestMap map(type, 8, 8, 4);
    Program first(map, 1), second(map, 3);
    EXPECT_EQ(first.put(7, 70), 0);
    for (uint32_t cpu = 0; cpu < 4; cpu++)
      EXPECT_EQ(*first.find(7, cpu), cpu == 1 ? 70u : 0u) << cpu;
    EXPECT_EQ(second.put(7, 90), 0);
    EXPECT_EQ(*first.find(7), 70u);
    EXPECT_EQ(*second.find(7), 90u);
    EXPECT_EQ(second.put(7, 1, 1), -EEXIST);
    EXPECT_EQ(second.find(7, 4), nullptr) << "no such CPU slot";
    EXPECT_EQ(second.find(8, 0), nullptr);
    uint64_t key = 7;
    EXPECT_EQ(bpfaot_map_delete(&map.view, &key), 0);
    EXPECT_EQ(second.put(8, 5), 0) << "the same element";
    EXPECT_EQ(*second.find(8, 1), 0u) << "the old value";
  }
}

TEST(PerCpuHash, each_run_counts_in_its_own_slot) {
  reset_runtime(8);
  TestMap map(kPerCpuHash, 8, 8, 16, 0, 8);
  constexpr uint64_t kRounds = 20000;
  EXPECT_TRUE(run_everywhere([&](int worker) {
    bpfaot_map_desc desc = map.desc(0);
    std::mt19937 random(worker);
    for (uint64_t i = 0; i < kRounds;) {
      bpfaot_env env{};
      if (!__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_CPU))
        continue; // no slot is free: fewer slots than threads
      uint64_t key = random() % 12, zero = 0;
      void* value = __bpfaot_rt_map_lookup_elem(&env, &desc, &key);
      if (!value) {
        __bpfaot_rt_map_update_elem(&env, &desc, &key, &zero, 1);
        value = __bpfaot_rt_map_lookup_elem(&env, &desc, &key);
      }
      ++*static_cast<uint64_t*>(value); // not atomic
      __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_CPU);
      i++;
    }
    return true;
  }));
  uint64_t sum = 0;
  for (uint64_t key : keys_of(map))
    for (uint32_t cpu = 0; cpu < 8; cpu++)
      sum += *static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, cpu));
  EXPECT_EQ(sum, kRounds * kWorkers);
}

TEST(PerCpuHash, updates_of_one_key_from_all_slots_are_all_written) {
  reset_runtime(kWorkers);
  TestMap map(kPerCpuHash, 8, 8, 1, 0, kWorkers);
  uint64_t key = 1, zero = 0;
  ASSERT_EQ(bpfaot_map_update(&map.view, &key, &zero, 0, 0), 0);
  EXPECT_TRUE(run_everywhere([&](int worker) {
    Program run(map, static_cast<uint32_t>(worker));
    for (uint64_t i = 1; i <= 20000; i++)
      if (run.put(1, i) != 0 || *run.find(1) != i)
        return false;
    return true;
  }));
}

TEST(PerCpuHash, an_update_beside_one_that_stands_still_is_written) {
  reset_runtime();
  TestMap map(kPerCpuHash, 8, 8, 1);
  Program run(map, 2);
  ASSERT_EQ(run.put(1, 10), 0);
  pid_t other = fork(); // lives, and will never finish its update
  if (other == 0)
    for (;;)
      pause();
  auto* state = reinterpret_cast<uint64_t*>(static_cast<uint8_t*>(map.view.data) +
                                            map.header->aux[2] + 8);
  const uint64_t live = *state;
  *state = (live & ~0xffffffffull) | 1u << 29 | static_cast<uint32_t>(other); // BUSY
  EXPECT_EQ(run.put(1, 11), 0);
  EXPECT_EQ(*run.find(1), 11u);
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  EXPECT_EQ(run.put(1, 12), 0);
  EXPECT_EQ(*run.find(1), 12u);
  EXPECT_EQ(*state, live) << "its mark was taken over";
}

TEST(Lru, evicts_what_was_not_used_in_order_of_the_hand) {
  for (uint32_t type : {kLruHash, kLruPerCpuHash}) {
    reset_runtime();
    TestMap map(type, 8, 8, 4);
    Program run(map, 0);
    for (uint64_t key = 1; key <= 4; key++)
      EXPECT_EQ(run.put(key, key), 0);
    EXPECT_NE(run.find(1), nullptr); // used
    EXPECT_EQ(run.put(3, 33), 0);    // used
    uint64_t four = 4;
    EXPECT_NE(bpfaot_map_lookup(&map.view, &four, 0), nullptr); // from outside: no use
    EXPECT_EQ(run.put(5, 5), 0);
    EXPECT_EQ(keys_of(map), (std::set<uint64_t>{1, 3, 4, 5})) << "2 was the first unused one";
    EXPECT_EQ(run.put(6, 6), 0);
    EXPECT_EQ(keys_of(map), (std::set<uint64_t>{1, 3, 5, 6}));
    EXPECT_EQ(run.put(7, 7), 0);
    EXPECT_EQ(keys_of(map), (std::set<uint64_t>{3, 5, 6, 7})) << "1 has lost its mark";
    EXPECT_EQ(run.put(8, 8, 2), -ENOENT);
    EXPECT_EQ(*run.find(3), 33u);
  }
}

TEST(Lru, marks_cannot_keep_a_new_key_out) {
  reset_runtime();
  TestMap map(kLruHash, 8, 8, 1000);
  Program run(map, 0);
  for (uint64_t key = 0; key < 1000; key++)
    ASSERT_EQ(run.put(key, key), 0);
  for (uint64_t key = 0; key < 1000; key++)
    ASSERT_NE(run.find(key), nullptr);
  ASSERT_EQ(run.put(5000, 1), 0);
  EXPECT_NE(run.find(5000), nullptr);
  EXPECT_EQ(keys_of(map).size(), 1000u);
  EXPECT_EQ(run.find(128), nullptr) << "the first one after 128 marks";
}

TEST(Lru, a_map_of_one) {
  reset_runtime();
  TestMap map(kLruHash, 8, 8, 1);
  Program run(map, 0);
  for (uint64_t key = 0; key < 1000; key++) {
    ASSERT_EQ(run.put(key, key), 0);
    ASSERT_EQ(*run.find(key), key);
  }
}

TEST(LruStress, never_full_and_keys_keep_their_values) {
  TestMap map(kLruHash, 8, 16, 100);
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::mt19937 random(worker);
    for (int i = 0; i < 30000; i++) {
      uint64_t key = random() % 500;
      const uint64_t value[2] = {key, ~key};
      const int r = bpfaot_map_update(&map.view, &key, value, 0, 0);
      if (r != 0)
        return false;
      key = random() % 500;
      if (random() % 4 == 0)
        bpfaot_map_delete(&map.view, &key);
      else
        bpfaot_map_lookup(&map.view, &key, 0);
    }
    return true;
  }));
  const std::set<uint64_t> keys = keys_of(map);
  EXPECT_LE(keys.size(), 100u);
  for (uint64_t key : keys) {
    const auto* value = static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, 0));
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(value[0], key);
    EXPECT_EQ(value[1], ~key);
  }
  expect_all_room(map, 10000);
}

TEST(LruStress, killed_ones_lose_nothing_and_hold_nothing_up) {
  for (uint32_t type : {kLruHash, kLruPerCpuHash}) {
    TestMap map(type, 8, 16, 30);
    std::mt19937 random(type);
    for (int i = 0; i < 200; i++) {
      kill_during(random, [&, n = uint64_t{random()}]() mutable {
        const uint64_t key = n++ % 90, value[2] = {key, ~key};
        bpfaot_map_update(&map.view, &key, value, 0, 0);
        const uint64_t other = n * 7 % 90;
        if (n % 3 == 0)
          bpfaot_map_delete(&map.view, &other);
      });
      expect_all_room(map, 1000);
      if (HasFatalFailure())
        return;
    }
  }
}

TEST(LruStress, stopped_ones_block_nobody) {
  TestMap map(kLruHash, 8, 16, 8);
  std::mt19937 random(11);
  for (int i = 0; i < 150; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (uint64_t n = 0;; n++) {
        const uint64_t key = n % 24, value[2] = {key, ~key};
        bpfaot_map_update(&map.view, &key, value, 0, 0);
      }
    }
    usleep(random() % 500);
    kill(child, SIGSTOP);
    waitpid(child, nullptr, WUNTRACED);
    for (uint64_t key = 100; key < 200; key++) {
      const uint64_t value[2] = {key, ~key};
      ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 0, 0), 0);
      ASSERT_NE(bpfaot_map_lookup(&map.view, &key, 0), nullptr);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  expect_all_room(map, 1000);
}
