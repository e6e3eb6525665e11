// SPDX-License-Identifier: MIT
//
// What attaching does to a busy process: how long it takes in all, the longest time that a thread
// which never sleeps makes no progress, and the memory that the process has more of afterwards.
// usage: attach ROUNDS PROBE.so PROGRAM-FILE BPF-AOT THREADS
//
// The target is this program once more, forked: its threads call `attach_subject`, which is probed,
// and keep the longest gap between two looks at the clock in memory that is shared with the parent.
// Prints `total`, `pause`, `pause-detach`, `quiet` (the longest gap in as long a time without an
// attach) as `name least median` in milliseconds, and `resident`, `virtual`, `maps` in KiB.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMostRounds = 200, kMostThreads = 64 };

struct shared {
  _Atomic uint64_t longest[kMostThreads][8]; // ns; one line each
  _Atomic uint64_t calls[kMostThreads][8];
};
static struct shared *shared;
extern char **environ;

__attribute__((noinline, noclone, aligned(64))) uint64_t attach_subject(uint64_t a, uint64_t b) {
  volatile uint64_t c = a * 3 + b;
  return c;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *work(void *number) {
  const size_t i = (size_t)number;
  for (uint64_t last = now();;) {
    attach_subject(i, last);
    atomic_fetch_add_explicit(&shared->calls[i][0], 1, memory_order_relaxed);
    const uint64_t time = now();
    if (time - last > atomic_load_explicit(&shared->longest[i][0], memory_order_relaxed))
      atomic_store_explicit(&shared->longest[i][0], time - last, memory_order_relaxed);
    last = time;
  }
  return NULL;
}

static pid_t start_target(int threads) {
  const pid_t pid = fork();
  if (pid != 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 1; i < threads; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, (void *)(size_t)i);
  }
  work(NULL);
  return 0;
}

static void reset(void) {
  for (int i = 0; i < kMostThreads; ++i)
    atomic_store(&shared->longest[i][0], 0);
}

static double longest_ms(void) {
  uint64_t longest = 0;
  for (int i = 0; i < kMostThreads; ++i)
    longest = atomic_load(&shared->longest[i][0]) > longest ? atomic_load(&shared->longest[i][0]) : longest;
  return (double)longest / 1e6;
}

static uint64_t calls(void) {
  uint64_t sum = 0;
  for (int i = 0; i < kMostThreads; ++i)
    sum += atomic_load(&shared->calls[i][0]);
  return sum;
}

struct memory {
  long resident, maps, virtual; // KiB
};

// Resident and virtual memory, and of it what the session's maps take: their files have names.
static struct memory memory_of(pid_t pid) {
  struct memory sum = {0, 0, 0};
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/smaps", pid);
  FILE *file = fopen(path, "r");
  int is_map = 0;
  while (file && fgets(line, sizeof line, file)) {
    unsigned long low, high;
    long size;
    if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
      is_map = strstr(line, "bpfaot-data") || strstr(line, "bpfaot-const");
      sum.virtual += (long)((high - low) >> 10);
    } else if (sscanf(line, "Rss: %ld", &size) == 1) {
      *(is_map ? &sum.maps : &sum.resident) += size;
    }
  }
  if (file)
    fclose(file);
  return sum;
}

struct rounds {
  const char *name;
  double values[kMostRounds];
};

static int less(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print(struct rounds *list, int rounds) {
  qsort(list->values, (size_t)rounds, sizeof(double), less);
  printf("%s %.3f %.3f\n", list->name, list->values[0], list->values[rounds / 2]);
}

static void pause_ms(int ms) { usleep((unsigned)ms * 1000); }

// Until every thread has looked at the clock again: only then has it noted the gap before.
static double longest_of_all(int threads) {
  for (int i = 0; i < threads; ++i) {
    const uint64_t seen = atomic_load(&shared->calls[i][0]);
    while (atomic_load(&shared->calls[i][0]) < seen + 2)
      usleep(200);
  }
  return longest_ms();
}

int main(int count, char **arguments) {
  if (count != 6)
    return 2;
  const int rounds = atoi(arguments[1]), threads = atoi(arguments[5]);
  if (rounds < 1 || rounds > kMostRounds || threads < 1 || threads > kMostThreads)
    return 2;
  char point[4200];
  snprintf(point, sizeof point, "entry_push=uprobe:%s:attach_subject", arguments[3]);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  static struct rounds total = {"total", {0}}, stop = {"pause", {0}}, stop_detach = {"pause-detach", {0}},
                       quiet = {"quiet", {0}}, resident = {"resident", {0}}, virtual = {"virtual", {0}},
                       maps = {"maps", {0}};
  for (int round = 0; round < rounds; ++round) {
    const pid_t target = start_target(threads);
    pause_ms(30);
    reset();
    pause_ms(5);
    quiet.values[round] = longest_of_all(threads);
    const struct memory before = memory_of(target);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", target);
    char *command[] = {arguments[4], "attach", "--attach", point, arguments[2], "-p", pid, NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
      return 1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    pid_t loader;
    reset();
    const uint64_t first_calls = calls(), begin = now();
    if (posix_spawn(&loader, command[0], &actions, NULL, command, environ) != 0)
      return 1;
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    char line[512];
    if (!fgets(line, sizeof line, said) || strstr(line, "1 of 1 probes") == NULL) {
      fprintf(stderr, "not attached: %s", line);
      kill(target, SIGKILL);
      return 1;
    }
    total.values[round] = (double)(now() - begin) / 1e6;
    stop.values[round] = longest_of_all(threads);
    const uint64_t attached_calls = calls();
    pause_ms(10);
    const struct memory after = memory_of(target);
    resident.values[round] = (double)(after.resident - before.resident);
    virtual.values[round] = (double)(after.virtual - before.virtual);
    maps.values[round] = (double)after.maps;
    const uint64_t probed_calls = calls();
    reset();
    kill(loader, SIGINT);
    uint64_t counted = 0;
    while (fgets(line, sizeof line, said))
      sscanf(line, "@counts[0]: %lu", &counted);
    int status = 1;
    waitpid(loader, &status, 0);
    stop_detach.values[round] = longest_of_all(threads);
    fclose(said);
    const uint64_t last_calls = calls();
    int target_status;
    const int lives = waitpid(target, &target_status, WNOHANG) == 0;
    kill(target, SIGKILL);
    waitpid(target, &target_status, 0);
    if (status != 0 || !lives || counted < probed_calls - attached_calls || counted > last_calls - first_calls) {
      fprintf(stderr, "round %d: bpf-aot ended with %d, the target %s, %lu counted of %lu to %lu calls\n", round,
              status, lives ? "lives" : "is dead", counted, probed_calls - attached_calls, last_calls - first_calls);
      return 1;
    }
  }
  struct rounds *all[] = {&total, &stop, &stop_detach, &quiet, &resident, &virtual, &maps};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
    print(all[i], rounds);
  return 0;
}
