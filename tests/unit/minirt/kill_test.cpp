// SPDX-License-Identifier: MIT
//
// kill -9 at random points of map operations: afterwards everything else works, nothing is lost.
#include "tests/unit/minirt/processes.h"

#include <cerrno>
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
constexpr int kKills = 300;

std::set<uint64_t> keys_of(const TestMap& map) {
  std::set<uint64_t> keys;
  uint64_t key = 0;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &key); r == 0;
       r = bpfaot_map_next_key(&map.view, &key, &key))
    EXPECT_TRUE(keys.insert(key).second);
  return keys;
}
} // namespace

TEST(Kill, hash_keeps_unrelated_keys_and_all_its_room) {
  constexpr uint64_t kKept = 100, kRoom = 128;
  TestMap map(1, 8, 40, kRoom);
  uint64_t value[5];
  for (uint64_t key = 0; key < kKept; key++) {
    std::fill(value, value + 5, key);
    ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 0, 0), 0);
  }
  std::mt19937 random(1);
  for (int i = 0; i < kKills; i++) {
    uint64_t seed = random();
    kill_during(random, [&, n = seed]() mutable {
      uint64_t key = 1000 + n++ % 40, mine[5] = {n, n, n, n, n};
      bpfaot_map_update(&map.view, &key, mine, 0, 0);
      key = 1000 + n * 7 % 40;
      bpfaot_map_update(&map.view, &key, mine, 0, 0);
      key = 1000 + n * 3 % 40;
      bpfaot_map_delete(&map.view, &key);
    });
    for (uint64_t key = 0; key < kKept; key++) {
      auto* found = static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, 0));
      ASSERT_NE(found, nullptr) << "lost key " << key << " after kill " << i;
      for (int w = 0; w < 5; w++)
        ASSERT_EQ(found[w], key);
    }
    for (uint64_t key = 1000; key < 1040; key++) { // each of the victim's keys is usable
      std::fill(value, value + 5, 7u);
      int r = bpfaot_map_update(&map.view, &key, value, 0, 0);
      ASSERT_TRUE(r == 0 || r == -E2BIG) << r;
      if (r == 0) {
        ASSERT_EQ(bpfaot_map_delete(&map.view, &key), 0);
      }
      ASSERT_EQ(bpfaot_map_lookup(&map.view, &key, 0), nullptr);
    }
    ASSERT_EQ(keys_of(map).size(), kKept) << i;
    if (i % 10 == 0) { // all room is there: fill up, empty again
      for (uint64_t key = 5000; key < 5000 + kRoom - kKept; key++)
        ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 1, 0), 0)
            << "room lost after kill " << i;
      uint64_t one_more = 9999;
      ASSERT_EQ(bpfaot_map_update(&map.view, &one_more, value, 1, 0), -E2BIG);
      for (uint64_t key = 5000; key < 5000 + kRoom - kKept; key++)
        ASSERT_EQ(bpfaot_map_delete(&map.view, &key), 0);
    }
  }
}

TEST(Kill, ring_goes_on_and_drains) {
  reset_runtime();
  TestMap map(27, 0, 0, 1 << 13);
  bpfaot_map_desc desc = map.desc(0);
  std::mt19937 random(2);
  uint64_t delivered = 0;
  for (int i = 0; i < kKills; i++) {
    kill_during(random, [&] {
      bpfaot_env env{};
      for (uint64_t size : {8, 24, 100}) {
        auto* record = static_cast<char*>(__bpfaot_rt_ringbuf_reserve(&env, &desc, size, 0));
        if (!record)
          continue;
        std::memset(record, static_cast<int>(size), size);
        if (size == 24)
          __bpfaot_rt_ringbuf_discard(&env, record, 0);
        else
          __bpfaot_rt_ringbuf_submit(&env, record, 0);
      }
    });
    for (auto& record : consume_all(map)) {
      ASSERT_TRUE(record.size() == 8 || record.size() == 100) << record.size();
      ASSERT_EQ(record, std::string(record.size(), static_cast<char>(record.size())));
      delivered++;
    }
    bpfaot_env env{};
    uint64_t left = __bpfaot_rt_ringbuf_query(&env, &desc, 0);
    ASSERT_EQ(left, 0u) << "something still blocks the ring after kill " << i;
    ASSERT_EQ(__bpfaot_rt_ringbuf_output(&env, &desc, "mine", 4, 0), 0u);
    ASSERT_EQ(consume_all(map), (std::vector<std::string>{"mine"}));
  }
  EXPECT_GT(delivered, static_cast<uint64_t>(kKills));
}

TEST(Kill, a_killed_consumer_is_replaced_without_duplicates_beyond_its_last_record) {
  reset_runtime();
  TestMap map(27, 0, 0, 1 << 13);
  bpfaot_map_desc desc = map.desc(0);
  auto* seen = static_cast<uint32_t*>(shared_memory(1 << 20));
  std::mt19937 random(3);
  bpfaot_env env{};
  uint32_t next = 0;
  auto produce = [&] {
    while (next < (1 << 18) && __bpfaot_rt_ringbuf_output(&env, &desc, &next, 4, 0) == 0)
      next++;
  };
  auto note = [](void* arg, const void* record, uint32_t, uint32_t) {
    uint32_t number;
    std::memcpy(&number, record, 4);
    static_cast<uint32_t*>(arg)[number]++;
    return 0;
  };
  for (int i = 0; i < 100; i++) {
    produce();
    kill_during(random, [&] { bpfaot_ring_consume(&map.view, note, seen, 1); });
  }
  while (bpfaot_ring_consume(&map.view, note, seen, 0)) {
  }
  uint32_t twice = 0;
  for (uint32_t i = 0; i < next; i++) {
    ASSERT_GE(seen[i], 1u) << i;
    twice += seen[i] - 1;
  }
  EXPECT_LE(twice, 100u) << "at most the record in hand of each killed consumer";
  munmap(seen, 1 << 20);
}

TEST(Kill, per_cpu_slots_come_back) {
  reset_runtime(2);
  TestMap map(6, 4, 8, 1, 0, 2);
  std::mt19937 random(4);
  for (int i = 0; i < 100; i++) {
    kill_during(random, [&] {
      bpfaot_env env{};
      if (__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_CPU))
        __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_CPU);
    });
    for (int run = 0; run < 3; run++) {
      bpfaot_env env{};
      ASSERT_TRUE(__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_CPU)) << i;
      __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_CPU);
    }
  }
}

TEST(Stop, a_stopped_process_blocks_nobody) {
  reset_runtime();
  TestMap map(1, 8, 40, 64);
  TestMap ring(27, 0, 0, 1 << 14);
  bpfaot_map_desc desc = ring.desc(0);
  std::mt19937 random(5);
  for (int i = 0; i < 200; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (uint64_t n = 0;; n++) {
        uint64_t key = n % 8, value[5] = {n, n, n, n, n};
        bpfaot_map_update(&map.view, &key, value, 0, 0);
        key = n * 5 % 8;
        bpfaot_map_delete(&map.view, &key);
        bpfaot_env env{};
        if (void* record = __bpfaot_rt_ringbuf_reserve(&env, &desc, 8, 0))
          __bpfaot_rt_ringbuf_submit(&env, record, 0);
      }
    }
    usleep(random() % 500);
    kill(child, SIGSTOP);
    waitpid(child, nullptr, WUNTRACED);
    consume_all(ring);
    bpfaot_env env{};
    ASSERT_EQ(__bpfaot_rt_ringbuf_output(&env, &desc, "mine", 4, 0), 0u);
    for (uint64_t key = 0; key < 40; key++) { // the first eight are the child's as well
      uint64_t value[5] = {key, key, key, key, key};
      ASSERT_EQ(bpfaot_map_update(&map.view, &key, value, 0, 0), 0);
      auto* found = static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, 0));
      ASSERT_NE(found, nullptr);
      if (key >= 8) {
        ASSERT_EQ(std::memcmp(found, value, sizeof value), 0);
      }
      ASSERT_EQ(bpfaot_map_delete(&map.view, &key), 0);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    auto records = consume_all(ring);
    ASSERT_FALSE(records.empty());
    ASSERT_EQ(records.back(), "mine");
  }
}
