// SPDX-License-Identifier: MIT
//
// Work done by many threads of many processes at once, and by processes that are killed at it.
#pragma once

#include "tests/unit/minirt/runtime.h"

#include <atomic>
#include <csignal>
#include <functional>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace bpfaot::test {

inline constexpr int kProcesses = 3, kThreads = 3, kWorkers = kProcesses * kThreads;

// Runs work(worker) in kWorkers threads spread over kProcesses processes; true if all returned
// true.
inline bool run_everywhere(const std::function<bool(int)>& work) {
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; p++) {
    pid_t child = fork();
    if (child == 0) {
      std::atomic<bool> good = true;
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; t++)
        threads.emplace_back([&, t] {
          if (!work(p * kThreads + t))
            good = false;
        });
      for (auto& thread : threads)
        thread.join();
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  bool good = true;
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    good = good && status == 0;
  }
  return good;
}

// Lets `victim` run for up to a millisecond in a process of its own, then kills it.
inline void kill_during(std::mt19937& random, const std::function<void()>& victim) {
  auto* started = static_cast<uint32_t*>(shared_memory(4096));
  pid_t child = fork();
  if (child == 0) {
    __atomic_store_n(started, 1, __ATOMIC_RELEASE);
    for (;;)
      victim();
  }
  while (!__atomic_load_n(started, __ATOMIC_ACQUIRE))
    usleep(10);
  usleep(random() % 1000);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  munmap(started, 4096);
}

} // namespace bpfaot::test
