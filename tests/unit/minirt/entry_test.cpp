// SPDX-License-Identifier: MIT
//
// Guard, CPU slots, disarm, missed hits; with signals, longjmp, fork and dead owners.
#include "tests/unit/minirt/runtime.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
constexpr uint32_t kGuard = BPFAOT_PROG_NEEDS_GUARD, kCpu = BPFAOT_PROG_NEEDS_CPU;

// A frame of its own below its caller's, as a signal handler has: the guard tells them apart by it.
__attribute__((noinline)) bool run_once(uint32_t flags) {
  bpfaot_env env{};
  if (!__bpfaot_rt_enter(&env, flags))
    return false;
  __bpfaot_rt_leave(&env, flags);
  return true;
}
uint32_t busy_slots() {
  uint32_t busy = 0;
  for (uint32_t i = 0; i < session().cpu_count; i++)
    busy += session().cpus[i].owner != 0;
  return busy;
}
} // namespace

TEST(Entry, a_nested_run_is_missed_and_the_next_one_is_not) {
  reset_runtime();
  bpfaot_env env{};
  ASSERT_TRUE(__bpfaot_rt_enter(&env, kGuard));
  EXPECT_FALSE(run_once(kGuard));
  EXPECT_EQ(process().missed, 1u);
  __bpfaot_rt_leave(&env, kGuard);
  EXPECT_TRUE(run_once(kGuard));
  EXPECT_EQ(process().missed, 1u);
}

TEST(Entry, threads_do_not_guard_each_other) {
  reset_runtime();
  bpfaot_env env{};
  ASSERT_TRUE(__bpfaot_rt_enter(&env, kGuard));
  bool ran = false;
  std::thread([&] { ran = run_once(kGuard); }).join();
  EXPECT_TRUE(ran);
  __bpfaot_rt_leave(&env, kGuard);
}

TEST(Entry, a_thread_whose_home_slot_is_taken_keeps_the_next_one) {
  const bpfaot_rt& rt = reset_runtime();
  auto* table = reinterpret_cast<bpfaot_thread_table*>(rt.threads);
  ASSERT_TRUE(run_once(kGuard));
  ASSERT_EQ(table->used, 1u);
  auto* slots = reinterpret_cast<bpfaot_thread*>(table->base);
  const uint64_t count = uint64_t{1} << table->capacity_log2;
  auto* home = std::find_if(slots, slots + count, [](const auto& slot) { return slot.key != 0; });
  const uint64_t own_key = home->key;
  home->key = own_key + 64; // as if another thread had come first
  for (int run = 0; run < 2; ++run) {
    bpfaot_env env{};
    ASSERT_TRUE(__bpfaot_rt_enter(&env, kGuard));
    EXPECT_NE(env.thread, home);
    EXPECT_EQ(env.thread->key, own_key);
    EXPECT_EQ(table->used, 2u);
    EXPECT_FALSE(run_once(kGuard));
    __bpfaot_rt_leave(&env, kGuard);
  }
}

TEST(Entry, a_disarmed_session_runs_nothing_and_misses_nothing) {
  reset_runtime();
  session().disarm = 1;
  EXPECT_FALSE(run_once(kGuard | kCpu));
  EXPECT_EQ(process().missed, 0u);
}

TEST(Entry, a_cpu_slot_is_exclusive_and_given_back) {
  reset_runtime(2);
  bpfaot_env a{}, b{}, c{};
  ASSERT_TRUE(__bpfaot_rt_enter(&a, kCpu));
  ASSERT_TRUE(__bpfaot_rt_enter(&b, kCpu));
  EXPECT_NE(a.cpu, b.cpu);
  EXPECT_FALSE(__bpfaot_rt_enter(&c, kCpu)) << "no slot left";
  EXPECT_EQ(process().missed, 1u);
  __bpfaot_rt_leave(&a, kCpu);
  EXPECT_TRUE(__bpfaot_rt_enter(&c, kCpu));
  EXPECT_EQ(c.cpu, a.cpu);
  __bpfaot_rt_leave(&b, kCpu);
  __bpfaot_rt_leave(&c, kCpu);
  EXPECT_EQ(busy_slots(), 0u);
}

TEST(Entry, a_failed_lease_opens_the_guard_again) {
  reset_runtime(1);
  bpfaot_env env{};
  ASSERT_TRUE(__bpfaot_rt_enter(&env, kCpu));
  EXPECT_FALSE(run_once(kGuard | kCpu));
  __bpfaot_rt_leave(&env, kCpu);
  EXPECT_TRUE(run_once(kGuard | kCpu));
}

TEST(Entry, slots_of_killed_owners_are_taken_back) {
  reset_runtime(2);
  for (int i = 0; i < 2; i++) {
    pid_t child = fork();
    if (child == 0) {
      bpfaot_env env{};
      __bpfaot_rt_enter(&env, kCpu);
      raise(SIGKILL);
    }
    waitpid(child, nullptr, 0);
  }
  EXPECT_EQ(busy_slots(), 2u);
  EXPECT_TRUE(run_once(kCpu));
  EXPECT_TRUE(run_once(kCpu));
  EXPECT_EQ(process().missed, 0u);
}

TEST(Entry, with_mixed_pid_namespaces_nothing_is_taken_back) {
  reset_runtime(1);
  session().flags = BPFAOT_SESSION_MIXED_PIDS;
  session().cpus[0].owner = 4194000; // no such thread
  EXPECT_FALSE(run_once(kCpu));
  session().flags = 0;
  EXPECT_TRUE(run_once(kCpu));
}

namespace {
volatile int nested_runs, nested_misses;
sigjmp_buf out_of_handler;
} // namespace

TEST(Entry, a_signal_handler_inside_a_run_is_missed_and_outside_runs) {
  reset_runtime();
  nested_runs = 0;
  nested_misses = 0;
  signal(SIGUSR1, [](int) {
    if (run_once(kGuard))
      nested_runs = nested_runs + 1;
    else
      nested_misses = nested_misses + 1;
  });
  bpfaot_env env{};
  ASSERT_TRUE(__bpfaot_rt_enter(&env, kGuard));
  raise(SIGUSR1);
  __bpfaot_rt_leave(&env, kGuard);
  raise(SIGUSR1);
  EXPECT_EQ(nested_misses, 1);
  EXPECT_EQ(nested_runs, 1);
  signal(SIGUSR1, SIG_DFL);
}

namespace {
[[gnu::noinline]] void run_and_jump_out() {
  char deeper[256]; // so that the frame is below the caller's next one
  __asm__ volatile("" : : "r"(deeper) : "memory");
  bpfaot_env env{};
  if (__bpfaot_rt_enter(&env, kGuard))
    raise(SIGUSR1);
}
} // namespace

TEST(Entry, a_guard_whose_frame_was_jumped_over_does_not_stay_closed) {
  reset_runtime();
  signal(SIGUSR1, [](int) { siglongjmp(out_of_handler, 1); });
  if (sigsetjmp(out_of_handler, 1) == 0)
    run_and_jump_out();
  EXPECT_TRUE(run_once(kGuard));
  signal(SIGUSR1, SIG_DFL);
}

TEST(Entry, a_child_forked_while_another_thread_runs_finds_an_open_guard) {
  reset_runtime();
  volatile bool inside = false, done = false;
  std::thread holder([&] {
    bpfaot_env env{};
    __bpfaot_rt_enter(&env, kGuard);
    inside = true;
    while (!done)
      usleep(100);
    __bpfaot_rt_leave(&env, kGuard);
  });
  while (!inside)
    usleep(100);
  pid_t child = fork();
  if (child == 0) {
    bool all = run_once(kGuard);
    for (int i = 0; i < 4; i++) // may get the holder's thread pointer
      std::thread([&] { all = all && run_once(kGuard); }).join();
    _exit(all ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  done = true;
  holder.join();
  EXPECT_EQ(status, 0);
}

TEST(Entry, per_cpu_counters_are_exact_under_preemption) {
  reset_runtime(6);
  TestMap map(6, 4, 8, 1, 0, 6);
  bpfaot_map_desc desc = map.desc(0);
  constexpr int kThreads = 4, kRuns = 100000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++)
    threads.emplace_back([&] {
      for (int i = 0; i < kRuns; i++) {
        bpfaot_env env{};
        if (!__bpfaot_rt_enter(&env, kCpu))
          continue;
        uint32_t key = 0;
        auto* value =
            static_cast<volatile uint64_t*>(__bpfaot_rt_map_lookup_elem(&env, &desc, &key));
        *value = *value + 1;
        __bpfaot_rt_leave(&env, kCpu);
      }
    });
  for (auto& thread : threads)
    thread.join();
  uint64_t sum = 0;
  uint32_t key = 0;
  for (uint32_t cpu = 0; cpu < 6; cpu++)
    sum += *static_cast<uint64_t*>(bpfaot_map_lookup(&map.view, &key, cpu));
  EXPECT_EQ(process().missed, 0u);
  EXPECT_EQ(sum, static_cast<uint64_t>(kThreads) * kRuns);
}
