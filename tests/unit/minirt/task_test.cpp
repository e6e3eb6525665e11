// SPDX-License-Identifier: MIT
//
// Helpers about time, ids, names, random numbers and the attach point, against libc's answers.
#include "tests/unit/minirt/runtime.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <set>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <thread>
#include <time.h>
#include <unistd.h>

using namespace bpfaot::test;

namespace {
uint64_t now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000 + static_cast<uint64_t>(t.tv_nsec);
}
uint64_t real_ids() {
  return static_cast<uint64_t>(getpid()) << 32 | static_cast<uint32_t>(syscall(SYS_gettid));
}
} // namespace

TEST(Task, clocks_are_the_systems_with_and_without_the_vdso) {
  for (uint64_t vdso : {uint64_t{0}, reinterpret_cast<uint64_t>(&clock_gettime)}) {
    reset_runtime().clock_gettime = vdso;
    bpfaot_env env{};
    uint64_t before = now(CLOCK_MONOTONIC), got = __bpfaot_rt_ktime_get_ns(&env),
             after = now(CLOCK_MONOTONIC);
    EXPECT_LE(before, got);
    EXPECT_LE(got, after);
    before = now(CLOCK_BOOTTIME), got = __bpfaot_rt_ktime_get_boot_ns(&env),
    after = now(CLOCK_BOOTTIME);
    EXPECT_LE(before, got);
    EXPECT_LE(got, after);
    before = now(CLOCK_MONOTONIC_COARSE), got = __bpfaot_rt_ktime_get_coarse_ns(&env),
    after = now(CLOCK_MONOTONIC_COARSE);
    EXPECT_LE(before, got);
    EXPECT_LE(got, after);
    before = now(CLOCK_TAI), got = __bpfaot_rt_ktime_get_tai_ns(&env), after = now(CLOCK_TAI);
    EXPECT_LE(before, got);
    EXPECT_LE(got, after);
  }
}

TEST(Task, jiffies_are_the_ticks_of_the_coarse_clock_from_five_minutes_before_the_wrap) {
  reset_runtime();
  bpfaot_env env{};
  timespec tick{};
  ASSERT_EQ(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
  const auto length = static_cast<uint64_t>(tick.tv_nsec);
  const uint64_t first = (uint64_t{1} << 32) - 300 * (1'000'000'000 / length);
  const uint64_t before = now(CLOCK_MONOTONIC_COARSE) / length,
                 got = __bpfaot_rt_jiffies64(&env), after = now(CLOCK_MONOTONIC_COARSE) / length;
  EXPECT_LE(first + before, got);
  EXPECT_LE(got, first + after);
}

TEST(Task, ids_of_the_own_namespace_only) {
  reset_runtime();
  bpfaot_env env{};
  struct stat space {};
  ASSERT_EQ(stat("/proc/self/ns/pid", &space), 0);
  const uint64_t device = uint64_t{major(space.st_dev)} << 20 | minor(space.st_dev);
  uint32_t ids[3] = {1, 2, 3};
  EXPECT_EQ(__bpfaot_rt_get_ns_current_pid_tgid(&env, device, space.st_ino, ids, 8), 0u);
  EXPECT_EQ(uint64_t{ids[1]} << 32 | ids[0], real_ids());
  EXPECT_EQ(ids[2], 3u);
  const auto is_refused = [&](uint64_t dev, uint64_t inode, uint64_t size) {
    ids[0] = ids[1] = ids[2] = 9;
    const auto result =
        static_cast<int64_t>(__bpfaot_rt_get_ns_current_pid_tgid(&env, dev, inode, ids, size));
    return result == -EINVAL && ids[0] == 0 && ids[1] == 0;
  };
  EXPECT_TRUE(is_refused(device + 1, space.st_ino, 8));
  EXPECT_TRUE(is_refused(device, space.st_ino + 1, 8));
  EXPECT_TRUE(is_refused(device, space.st_ino, 12));
  EXPECT_EQ(ids[2], 0u);
}

TEST(Task, cpu_number_by_every_method) {
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof all, &all);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all))
      continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    bpfaot_env env{};
    bpfaot_rt& rt = reset_runtime();
    EXPECT_EQ(__bpfaot_rt_get_smp_processor_id(&env), static_cast<uint64_t>(cpu));
    rt.cpu_method = BPFAOT_CPU_RSEQ;
    rt.rseq_off = static_cast<int32_t>(__rseq_offset);
    if (__rseq_size) {
      EXPECT_EQ(__bpfaot_rt_get_smp_processor_id(&env), static_cast<uint64_t>(cpu));
    }
#ifdef __x86_64__
    if (getauxval(AT_HWCAP2) & 2 && __builtin_cpu_supports("x86-64-v2")) {
      uint32_t eax = 7, ecx = 0, ebx, edx;
      __asm__("cpuid" : "+a"(eax), "+c"(ecx), "=b"(ebx), "=d"(edx));
      rt.cpu_method = BPFAOT_CPU_RDPID;
      if (ecx & 1u << 22) {
        EXPECT_EQ(__bpfaot_rt_get_smp_processor_id(&env), static_cast<uint64_t>(cpu));
      }
    }
#endif
  }
  sched_setaffinity(0, sizeof all, &all);
}

TEST(Task, ids_are_right_in_every_thread_although_thread_pointers_are_reused) {
  reset_runtime();
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_get_current_pid_tgid(&env), real_ids());
  int wrong = 0;
  for (int i = 0; i < 50; i++) { // glibc gives each the stack of the one before
    std::thread([&] {
      for (int j = 0; j < 3; j++) {
        bpfaot_env own{};
        wrong += __bpfaot_rt_get_current_pid_tgid(&own) != real_ids();
      }
    }).join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Task, the_place_of_the_tid_is_learned_from_two_threads) {
  reset_runtime();
  auto hit = [] {
    bpfaot_env env{};
    __bpfaot_rt_get_current_pid_tgid(&env);
    __bpfaot_rt_get_current_pid_tgid(&env);
  };
  hit();
  EXPECT_EQ(process().tid_proofs, 0u) << "the main thread proves nothing";
  std::thread(hit).join();
  EXPECT_EQ(process().tid_proofs, 1u);
  std::thread(hit).join();
  EXPECT_EQ(process().tid_proofs, 2u);
}

TEST(Task, ids_are_right_in_a_forked_child) {
  reset_runtime();
  bpfaot_env env{};
  ASSERT_EQ(__bpfaot_rt_get_current_pid_tgid(&env), real_ids());
  pid_t child = fork();
  if (child == 0) {
    bool right = __bpfaot_rt_get_current_pid_tgid(&env) == real_ids();
    if (fork() == 0)
      _exit(__bpfaot_rt_get_current_pid_tgid(&env) == real_ids() ? 0 : 1);
    int status;
    wait(&status);
    _exit(right && status == 0 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(__bpfaot_rt_get_current_pid_tgid(&env), real_ids());
}

TEST(Task, ids_come_from_the_system_when_the_thread_table_is_full) {
  reset_runtime(4, 1);
  int wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++)
    threads.emplace_back([&] {
      bpfaot_env env{};
      for (int j = 0; j < 100; j++)
        if (__bpfaot_rt_get_current_pid_tgid(&env) != real_ids())
          __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Task, uid_and_gid) {
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_get_current_uid_gid(&env),
            static_cast<uint64_t>(getgid()) << 32 | getuid());
}

TEST(Task, comm_is_cut_and_padded_like_the_kernels) {
  bpfaot_env env{};
  prctl(PR_SET_NAME, "fifteen-letters");
  char out[24];
  std::memset(out, 'x', sizeof out);
  EXPECT_EQ(__bpfaot_rt_get_current_comm(&env, out, 20), 0u);
  EXPECT_STREQ(out, "fifteen-letters");
  for (int i = 15; i < 20; i++)
    EXPECT_EQ(out[i], 0);
  EXPECT_EQ(out[20], 'x');
  std::memset(out, 'x', sizeof out);
  __bpfaot_rt_get_current_comm(&env, out, 4);
  EXPECT_STREQ(out, "fif");
  EXPECT_EQ(out[4], 'x');
}

TEST(Task, random_numbers_differ) {
  reset_runtime();
  bpfaot_env env{};
  std::set<uint64_t> seen;
  uint64_t ones = 0;
  for (int i = 0; i < 10000; i++) {
    uint64_t value = __bpfaot_rt_get_prandom_u32(&env);
    ASSERT_LE(value, UINT32_MAX);
    ones += static_cast<uint64_t>(__builtin_popcountll(value));
    seen.insert(value);
  }
  EXPECT_GT(seen.size(), 9990u);
  EXPECT_NEAR(static_cast<double>(ones), 160000.0, 2000.0);
}

TEST(Task, attach_point_comes_from_the_site) {
  bpfaot_env env{};
  EXPECT_EQ(__bpfaot_rt_get_func_ip(&env, nullptr), 0u);
  EXPECT_EQ(__bpfaot_rt_get_attach_cookie(&env, nullptr), 0u);
  bpfaot_site site{.func_ip = 0x1234, .cookie = 99};
  env.site = &site;
  EXPECT_EQ(__bpfaot_rt_get_func_ip(&env, nullptr), 0x1234u);
  EXPECT_EQ(__bpfaot_rt_get_attach_cookie(&env, nullptr), 99u);
}
