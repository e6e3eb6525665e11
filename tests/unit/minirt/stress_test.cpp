// SPDX-License-Identifier: MIT
//
// Many threads of several processes on the same maps: exact counts at the end.
#include "tests/unit/minirt/processes.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
int put(const TestMap& map, uint64_t key, uint64_t value, uint64_t flags) {
  return bpfaot_map_update(&map.view, &key, &value, flags, 0);
}
uint64_t* find(const TestMap& map, uint64_t key) {
  return static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, 0));
}
int drop(const TestMap& map, uint64_t key) {
  return bpfaot_map_delete(&map.view, &key);
}

std::set<uint64_t> keys_of(const TestMap& map) {
  std::set<uint64_t> keys;
  uint64_t key = 0;
  for (int r = bpfaot_map_next_key(&map.view, nullptr, &key); r == 0;
       r = bpfaot_map_next_key(&map.view, &key, &key))
    if (!keys.insert(key).second)
      return {};
  return keys;
}
} // namespace

TEST(HashStress, shared_counters_are_exact) {
  TestMap map(1, 8, 8, 64);
  constexpr uint64_t kKeys = 32, kRounds = 30000;
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::mt19937 random(worker);
    for (uint64_t i = 0; i < kRounds; i++) {
      uint64_t key = random() % kKeys;
      uint64_t* value = find(map, key);
      if (!value) {
        int r = put(map, key, 0, 1);
        if (r && r != -EEXIST)
          return false;
        value = find(map, key);
        if (!value)
          return false;
      }
      __atomic_fetch_add(value, 1, __ATOMIC_RELAXED);
    }
    return true;
  }));
  uint64_t sum = 0;
  for (uint64_t key : keys_of(map))
    sum += *find(map, key);
  EXPECT_EQ(sum, kWorkers * kRounds);
}

TEST(HashStress, each_key_has_one_winner) {
  constexpr uint64_t kKeys = 20000;
  TestMap map(1, 8, 8, kKeys);
  auto* winners = static_cast<uint32_t*>(shared_memory(kKeys * 4));
  EXPECT_TRUE(run_everywhere([&](int worker) {
    for (uint64_t key = 0; key < kKeys; key++) {
      int r = put(map, key, static_cast<uint64_t>(worker), 1);
      for (int i = 0; r == -E2BIG && i < 1000; i++) { // a preempted loser may hold the last element
        usleep(100);
        r = put(map, key, static_cast<uint64_t>(worker), 1);
      }
      if (r == 0)
        __atomic_fetch_add(&winners[key], 1, __ATOMIC_RELAXED);
      else if (r != -EEXIST)
        return false; // the room is exactly enough
    }
    return true;
  }));
  for (uint64_t key = 0; key < kKeys; key++) {
    ASSERT_EQ(winners[key], 1u) << key;
    ASSERT_NE(find(map, key), nullptr) << key;
  }
  munmap(winners, kKeys * 4);
}

TEST(HashStress, keys_of_one_worker_are_never_disturbed_by_others) {
  TestMap map(1, 8, 24, kWorkers * 40);
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::mt19937 random(worker);
    std::map<uint64_t, uint64_t> model;
    for (int i = 0; i < 30000; i++) {
      uint64_t key = static_cast<uint64_t>(worker) | (random() % 40) << 8;
      uint64_t value[3] = {random(), key, ~key};
      bool known = model.count(key);
      switch (random() % 3) {
      case 0:
        if (bpfaot_map_update(&map.view, &key, value, known ? 2 : 1, 0))
          return false;
        model[key] = value[0];
        break;
      case 1:
        if (drop(map, key) != (known ? 0 : -ENOENT))
          return false;
        model.erase(key);
        break;
      default:
        uint64_t* found = find(map, key);
        if ((found != nullptr) != known)
          return false;
        if (found && (found[0] != model[key] || found[1] != key || found[2] != ~key))
          return false;
      }
    }
    for (auto& [key, value] : model)
      if (drop(map, key))
        return false;
    return true;
  }));
  EXPECT_TRUE(keys_of(map).empty());
}

TEST(HashStress, a_map_that_is_fought_over_loses_no_room) {
  constexpr uint64_t kRoom = 50;
  TestMap map(1, 4, 8, kRoom);
  auto* balance = static_cast<int64_t*>(shared_memory(4096));
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::mt19937 random(worker);
    for (int i = 0; i < 20000; i++) {
      uint32_t key = random() % 100;
      uint64_t value = key;
      int r;
      if (random() % 2) {
        r = bpfaot_map_update(&map.view, &key, &value, 1, 0);
        if (r == 0)
          __atomic_fetch_add(balance, 1, __ATOMIC_RELAXED);
        else if (r != -EEXIST && r != -E2BIG)
          return false;
      } else {
        r = bpfaot_map_delete(&map.view, &key);
        if (r == 0)
          __atomic_fetch_add(balance, -1, __ATOMIC_RELAXED);
        else if (r != -ENOENT)
          return false;
      }
    }
    return true;
  }));
  int64_t live = 0;
  for (uint32_t key = 0; key < 100; key++)
    live += bpfaot_map_lookup(&map.view, &key, 0) != nullptr;
  EXPECT_EQ(live, *balance);
  for (uint32_t key = 0; key < 100; key++)
    bpfaot_map_delete(&map.view, &key);
  uint64_t value = 0, stored = 0;
  for (uint32_t key = 1000; key < 1100; key++)
    stored += bpfaot_map_update(&map.view, &key, &value, 0, 0) == 0;
  EXPECT_EQ(stored, kRoom);
  munmap(balance, 4096);
}

namespace {
struct Sequence {
  uint32_t worker, number;
  char padding[40];
};
} // namespace

TEST(RingStress, every_record_is_delivered_once_in_order_or_counted_as_lost) {
  reset_runtime();
  TestMap map(27, 0, 0, 1 << 14);
  bpfaot_map_desc desc = map.desc(0);
  auto* finished = static_cast<uint32_t*>(shared_memory(4096));
  auto* refused = finished + 1;
  constexpr uint32_t kRecords = 40000;
  uint32_t last[kWorkers] = {}, bad = 0;
  uint64_t received = 0;
  auto check = [](void* arg, const void* record, uint32_t size, uint32_t) {
    auto& [before, wrong, count] = *static_cast<std::tuple<uint32_t*, uint32_t*, uint64_t*>*>(arg);
    auto* s = static_cast<const Sequence*>(record);
    if (size < 8 || size > sizeof(Sequence) || s->worker >= kWorkers ||
        s->number <= before[s->worker])
      ++*wrong;
    else
      before[s->worker] = s->number;
    ++*count;
    return 0;
  };
  std::tuple<uint32_t*, uint32_t*, uint64_t*> pointers{last, &bad, &received};
  std::thread consumer([&] {
    for (;;) {
      bool over = __atomic_load_n(finished, __ATOMIC_ACQUIRE) != 0;
      if (bpfaot_ring_consume(&map.view, check, &pointers, 0) == 0) {
        if (over)
          return;
        std::this_thread::yield();
      }
    }
  });
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::mt19937 random(worker);
    for (uint32_t i = 1; i <= kRecords; i++) {
      bpfaot_env env{};
      Sequence s{static_cast<uint32_t>(worker), i, {}};
      uint32_t size = 8 + random() % 40;
      auto* record = static_cast<Sequence*>(__bpfaot_rt_ringbuf_reserve(&env, &desc, size, 0));
      if (!record) {
        __atomic_fetch_add(refused, 1, __ATOMIC_RELAXED);
        continue;
      }
      std::memcpy(static_cast<void*>(record), &s, size);
      __bpfaot_rt_ringbuf_submit(&env, record, 0);
    }
    return true;
  }));
  __atomic_store_n(finished, 1, __ATOMIC_RELEASE);
  consumer.join();
  EXPECT_EQ(bad, 0u);
  EXPECT_EQ(bpfaot_ring_lost(&map.view), *refused);
  EXPECT_EQ(received + *refused, static_cast<uint64_t>(kWorkers) * kRecords);
  munmap(finished, 4096);
}

TEST(PerCpuStress, counters_of_several_processes_are_exact) {
  reset_runtime(kWorkers + 2);
  TestMap map(6, 4, 8, 1, 0, kWorkers + 2);
  bpfaot_map_desc desc = map.desc(0);
  constexpr uint64_t kRuns = 40000;
  EXPECT_TRUE(run_everywhere([&](int) {
    for (uint64_t i = 0; i < kRuns; i++) {
      bpfaot_env env{};
      if (!__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_CPU))
        return false;
      uint32_t key = 0;
      auto* value = static_cast<volatile uint64_t*>(__bpfaot_rt_map_lookup_elem(&env, &desc, &key));
      *value = *value + 1;
      __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_CPU);
    }
    return true;
  }));
  uint64_t sum = 0;
  uint32_t key = 0;
  for (uint32_t cpu = 0; cpu < kWorkers + 2; cpu++)
    sum += *static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, cpu));
  EXPECT_EQ(sum, kWorkers * kRuns);
}

namespace {
const TestMap* signal_hash;
const bpfaot_map_desc* signal_ring;
volatile uint64_t signals, signal_errors, signal_records;

// The same operations on the same keys as the code it interrupts.
void work_in_handler(int) {
  signals = signals + 1;
  uint64_t key = signals % 16, value[4] = {signals, signals, signals, signals};
  int r = bpfaot_map_update(&signal_hash->view, &key, value, 0, 0);
  if (r && r != -EBUSY && r != -E2BIG)
    signal_errors = signal_errors + 1;
  bpfaot_map_lookup(&signal_hash->view, &key, 0);
  if (signals % 3 == 0)
    bpfaot_map_delete(&signal_hash->view, &key);
  bpfaot_env env{};
  if (void* record = __bpfaot_rt_ringbuf_reserve(&env, signal_ring, 8, 0)) {
    std::memcpy(record, "handler.", 8);
    __bpfaot_rt_ringbuf_submit(&env, record, 0);
    signal_records = signal_records + 1;
  }
}
} // namespace

TEST(SignalStress, a_handler_may_do_what_it_interrupts) {
  reset_runtime();
  TestMap map(1, 8, 32, 64);
  TestMap ring(27, 0, 0, 1 << 16);
  bpfaot_map_desc desc = ring.desc(0);
  signal_hash = &map;
  signal_ring = &desc;
  signals = 0;
  signal_errors = 0;
  signal_records = 0;
  struct sigaction action{}, old;
  action.sa_handler = work_in_handler;
  sigaction(SIGALRM, &action, &old);
  itimerval fast{{0, 50}, {0, 50}}, off{};
  setitimer(ITIMER_REAL, &fast, nullptr);
  uint64_t sent = 0, received = 0, wrong = 0;
  for (uint64_t i = 0; signals < 3000 && i < 20000000; i++) {
    uint64_t key = i % 16, own = 1000 + i % 16, value[4] = {i, i, i, i};
    bpfaot_map_update(&map.view, &key, value, 0, 0);
    if (bpfaot_map_update(&map.view, &own, value, 0, 0)) // nobody else uses these keys
      wrong++;
    uint64_t* found = find(map, own);
    wrong += !found || found[0] != i;
    if (i % 5 == 0)
      drop(map, key);
    if (i % 7 == 0)
      wrong += drop(map, own) != 0;
    bpfaot_env env{};
    if (void* record = __bpfaot_rt_ringbuf_reserve(&env, &desc, 16, 0)) {
      std::memcpy(record, "interrupted code", 16);
      __bpfaot_rt_ringbuf_submit(&env, record, 0);
      sent++;
    }
    if (i % 64 == 0)
      received += consume_all(ring).size();
  }
  setitimer(ITIMER_REAL, &off, nullptr);
  sigaction(SIGALRM, &old, nullptr);
  received += consume_all(ring).size();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(signal_errors, 0u);
  EXPECT_GE(signals, 3000u);
  EXPECT_EQ(received, sent + signal_records);
  for (uint64_t key : keys_of(map))
    EXPECT_EQ(drop(map, key), 0);
  for (uint64_t key = 0; key < 64; key++)
    EXPECT_EQ(put(map, key, 1, 1), 0) << "room was lost";
}
