// SPDX-License-Identifier: MIT
//
// Queue and stack maps in many threads of many processes, with killed and stopped ones and with
// handlers that enter the same code: each value comes out exactly once, whole, in order.
#include "tests/unit/minirt/processes.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <set>
#include <sys/time.h>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kQueue = 22, kStack = 23;

// Words that follow from the first, so that a mixture of two values is seen.
struct Value {
  uint64_t id = 0, words[4] = {};
  Value() = default;
  explicit Value(uint64_t n) : id(n) {
    for (uint64_t i = 0; i < 4; i++)
      words[i] = n * 0x9e3779b97f4a7c15u + i;
  }
  bool whole() const { return std::memcmp(words, Value(id).words, sizeof words) == 0; }
};

class QueueStress : public ::testing::TestWithParam<uint32_t> {};
} // namespace

TEST_P(QueueStress, each_value_comes_out_once) {
  constexpr uint64_t kEach = 15000;
  TestMap map(GetParam(), 0, sizeof(Value), 100);
  auto* seen = static_cast<uint8_t*>(shared_memory(kWorkers * kEach));
  EXPECT_TRUE(run_everywhere([&](int worker) {
    std::vector<uint64_t> last(kWorkers, 0);
    uint64_t pushed = 0;
    std::mt19937 random(worker);
    for (uint64_t misses = 0; pushed < kEach || misses < 100;) {
      Value value(worker * kEach + pushed);
      if (pushed < kEach && random() % 2) {
        const int r = bpfaot_map_push(&map.view, &value, 0);
        if (r == 0)
          pushed++;
        else if (r != -E2BIG)
          return false;
      }
      const int r = bpfaot_map_pop(&map.view, &value);
      if (r == 0) {
        if (!value.whole() || value.id >= kWorkers * kEach ||
            __atomic_fetch_add(&seen[value.id], 1, __ATOMIC_RELAXED))
          return false;
        const uint64_t from = value.id / kEach, number = value.id % kEach + 1;
        if (GetParam() == kQueue && number <= last[from]) // one producer's values stay in order
          return false;
        last[from] = number;
      } else if (r != -ENOENT) {
        return false;
      } else if (pushed == kEach) {
        misses++;
      }
    }
    return true;
  }));
  Value value;
  while (bpfaot_map_pop(&map.view, &value) == 0)
    seen[value.id]++;
  for (uint64_t i = 0; i < kWorkers * kEach; i++)
    ASSERT_EQ(seen[i], 1) << i;
  munmap(seen, kWorkers * kEach);
}

TEST_P(QueueStress, pushing_out_the_oldest_keeps_the_map_full) {
  constexpr uint32_t kRoom = 33;
  TestMap map(GetParam(), 0, sizeof(Value), kRoom);
  for (uint64_t i = 0; i < kRoom; i++) {
    Value value(i);
    ASSERT_EQ(bpfaot_map_push(&map.view, &value, 0), 0);
  }
  EXPECT_TRUE(run_everywhere([&](int worker) {
    for (uint64_t i = 0; i < 10000; i++) {
      Value value(1000 + static_cast<uint64_t>(worker) * 100000 + i), found;
      if (bpfaot_map_push(&map.view, &value, 2) != 0)
        return false;
      if (bpfaot_map_peek(&map.view, &found, i % kRoom) != 0 || !found.whole())
        return false;
    }
    return true;
  }));
  std::set<uint64_t> ids;
  for (uint32_t i = 0; i < kRoom; i++) {
    Value value;
    ASSERT_EQ(bpfaot_map_pop(&map.view, &value), 0) << i;
    ASSERT_TRUE(value.whole());
    ids.insert(value.id);
  }
  EXPECT_EQ(ids.size(), kRoom);
  Value value;
  EXPECT_EQ(bpfaot_map_pop(&map.view, &value), -ENOENT);
}

TEST_P(QueueStress, killed_ones_lose_nothing_and_hold_nothing_up) {
  constexpr uint32_t kRoom = 20;
  TestMap map(GetParam(), 0, sizeof(Value), kRoom);
  std::mt19937 random(7);
  for (int i = 0; i < 300; i++) {
    kill_during(random, [&, n = uint64_t{0}]() mutable {
      Value value(1000 + n), found;
      bpfaot_map_push(&map.view, &value, n % 3 == 0 ? 2 : 0);
      if (n++ % 4)
        bpfaot_map_pop(&map.view, &found);
    });
    uint32_t left = 0;
    Value value;
    while (bpfaot_map_pop(&map.view, &value) == 0) {
      ASSERT_TRUE(value.whole());
      left++;
    }
    ASSERT_LE(left, kRoom);
    for (uint32_t k = 0; k < kRoom; k++) {
      Value mine(k);
      ASSERT_EQ(bpfaot_map_push(&map.view, &mine, 0), 0) << "room lost after kill " << i;
    }
    ASSERT_EQ(bpfaot_map_push(&map.view, &value, 0), -E2BIG);
    for (uint32_t k = 0; k < kRoom; k++) {
      ASSERT_EQ(bpfaot_map_pop(&map.view, &value), 0);
      ASSERT_EQ(value.id, GetParam() == kQueue ? k : kRoom - 1 - k);
    }
  }
}

// More kills than there are records and spare elements: all of them come back.
TEST_P(QueueStress, survives_more_deaths_than_it_has_records) {
  TestMap map(GetParam(), 0, sizeof(Value), 4);
  for (int i = 0; i < 400; i++) {
    pid_t child = fork();
    if (child == 0) {
      timer_t timer{};
      sigevent event{};
      event.sigev_notify = SIGEV_SIGNAL;
      event.sigev_signo = SIGKILL;
      timer_create(CLOCK_MONOTONIC, &event, &timer);
      itimerspec when{};
      when.it_value.tv_nsec = 20000 + i * 997 % 60000;
      timer_settime(timer, 0, &when, nullptr);
      for (uint64_t n = 0;; n++) {
        Value value(n);
        bpfaot_map_push(&map.view, &value, 2);
        bpfaot_map_pop(&map.view, &value);
      }
    }
    waitpid(child, nullptr, 0);
  }
  Value value;
  while (bpfaot_map_pop(&map.view, &value) == 0)
    ASSERT_TRUE(value.whole());
  for (int round = 0; round < 1000; round++) {
    for (uint64_t k = 0; k < 4; k++) {
      Value mine(k);
      ASSERT_EQ(bpfaot_map_push(&map.view, &mine, 0), 0);
    }
    for (uint64_t k = 0; k < 4; k++)
      ASSERT_EQ(bpfaot_map_pop(&map.view, &value), 0);
  }
}

// What kills rarely leave behind, all at once: each record and each element in the hands of a thread
// that is gone.
TEST_P(QueueStress, takes_back_what_the_dead_held) {
  constexpr uint32_t kRoom = 10, kRecords = 256;
  TestMap map(GetParam(), 0, sizeof(Value), kRoom);
  pid_t dead = fork();
  if (dead == 0)
    _exit(0);
  waitpid(dead, nullptr, 0);
  auto* data = static_cast<uint8_t*>(map.view.data);
  for (uint32_t i = 1; i <= kRecords; i++)
    *reinterpret_cast<uint64_t*>(data + map.header->aux[1] + 64 * i) = static_cast<uint32_t>(dead);
  for (uint32_t i = 0; i < kRoom + kRecords; i++)
    *reinterpret_cast<uint64_t*>(data + map.header->aux[3] + map.header->aux[4] * i) =
        1u << 30 | static_cast<uint32_t>(dead);
  Value value;
  for (uint64_t k = 0; k < 2 * kRoom; k++) {
    Value mine(k);
    ASSERT_EQ(bpfaot_map_push(&map.view, &mine, 2), 0) << k;
  }
  for (uint64_t k = 0; k < kRoom; k++) {
    ASSERT_EQ(bpfaot_map_pop(&map.view, &value), 0);
    ASSERT_EQ(value.id, GetParam() == kQueue ? kRoom + k : 2 * kRoom - 1 - k);
  }
  EXPECT_EQ(bpfaot_map_pop(&map.view, &value), -ENOENT);
}

TEST_P(QueueStress, stopped_ones_block_nobody) {
  TestMap map(GetParam(), 0, sizeof(Value), 8);
  std::mt19937 random(9);
  for (int i = 0; i < 150; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (uint64_t n = 0;; n++) {
        Value value(n);
        bpfaot_map_push(&map.view, &value, 2);
        if (n % 2)
          bpfaot_map_pop(&map.view, &value);
      }
    }
    usleep(random() % 500);
    kill(child, SIGSTOP);
    waitpid(child, nullptr, WUNTRACED);
    Value value;
    while (bpfaot_map_pop(&map.view, &value) == 0)
      ASSERT_TRUE(value.whole());
    for (uint64_t k = 0; k < 8; k++) {
      Value mine(k);
      ASSERT_EQ(bpfaot_map_push(&map.view, &mine, 0), 0);
    }
    kill(child, SIGCONT); // what it had begun must not appear now
    usleep(100);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (bpfaot_map_pop(&map.view, &value) == 0)
      ASSERT_TRUE(value.whole());
  }
}

namespace {
const TestMap* handler_map;
uint64_t handler_runs, handler_failures;

void on_alarm(int) {
  Value value(1u << 20), found;
  if (bpfaot_map_push(&handler_map->view, &value, 2) != 0 ||
      bpfaot_map_pop(&handler_map->view, &found) != 0 || !found.whole())
    handler_failures++;
  handler_runs++;
}
} // namespace

TEST_P(QueueStress, a_handler_may_enter_it_anywhere) {
  TestMap map(GetParam(), 0, sizeof(Value), 16);
  handler_map = &map;
  handler_runs = handler_failures = 0;
  struct sigaction action {};
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, nullptr);
  itimerval every{{0, 50}, {0, 50}};
  setitimer(ITIMER_REAL, &every, nullptr);
  for (uint64_t i = 0; handler_runs < 2000; i++) {
    Value value(i), found;
    ASSERT_EQ(bpfaot_map_push(&map.view, &value, 2), 0);
    const int r = bpfaot_map_pop(&map.view, &found);
    ASSERT_TRUE(r == 0 || r == -ENOENT) << r;
    ASSERT_TRUE(found.whole() || r != 0);
  }
  itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  EXPECT_EQ(handler_failures, 0u);
}

INSTANTIATE_TEST_SUITE_P(Types, QueueStress, ::testing::Values(kQueue, kStack));
