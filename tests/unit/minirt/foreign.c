/* SPDX-License-Identifier: MIT
 *
 * minirt on the other machines, under qemu-user: what depends on rt_arch.h (system calls, thread
 * pointer, CPU number) and on the machine's atomics. Plain C, because cross compilers for C++ are
 * not asked for. Prints what fails; exit status 1 if anything did.
 */
#include "minirt/helpers.h"
#include "minirt/map_access.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kSlots = 4, kThreads = 4, kRuns = 20000, kCpus = 8 };
static uint64_t failures;
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      printf("line %d: %s\n", __LINE__, #condition);                                               \
      failures++;                                                                                  \
    }                                                                                              \
  } while (0)

__attribute__((visibility("hidden"), aligned(64))) unsigned char
    __bpfaot_rt[sizeof(struct bpfaot_rt) + kSlots * sizeof(struct bpfaot_map_slot)];
static struct bpfaot_rt* rt = (struct bpfaot_rt*)__bpfaot_rt;

static void* zeroed(size_t size, int sharing) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static struct bpfaot_map_view make_map(uint32_t slot, uint32_t type, uint32_t key, uint32_t value,
                                       uint32_t entries) {
  struct bpfaot_map_header* h = zeroed(sizeof *h, MAP_SHARED);
  h->type = type;
  h->key_size = key;
  h->value_size = value;
  h->max_entries = entries;
  h->cpus = kCpus;
  CHECK(bpfaot_map_layout(h) == 0);
  struct bpfaot_map_view view = {h, zeroed(h->data_size, MAP_SHARED)};
  rt->maps[slot].header = (uint64_t)(uintptr_t)h;
  rt->maps[slot].data = (uint64_t)(uintptr_t)view.data;
  return view;
}

static struct bpfaot_map_desc desc_of(uint32_t slot) {
  struct bpfaot_map_desc desc = {0};
  desc.slot = slot;
  return desc;
}

static void make_process(void) {
  rt->map_count = kSlots;
  rt->printk_map = BPFAOT_NONE;
  struct bpfaot_thread_table* table = zeroed(4096, MAP_PRIVATE);
  table->capacity_log2 = 8;
  table->stride = sizeof(struct bpfaot_thread);
  table->base = (uint64_t)(uintptr_t)zeroed(sizeof(struct bpfaot_thread) << 8, MAP_PRIVATE);
  rt->threads = (uint64_t)(uintptr_t)table;
  rt->process = (uint64_t)(uintptr_t)zeroed(4096, MAP_PRIVATE);
  void* fork_page = zeroed(4096, MAP_PRIVATE);
  CHECK(madvise(fork_page, 4096, MADV_WIPEONFORK) == 0);
  rt->fork_page = (uint64_t)(uintptr_t)fork_page;
  struct bpfaot_session* session = zeroed(4096, MAP_SHARED);
  rt->cpu_count = kCpus;
  rt->session = (uint64_t)(uintptr_t)session;
}

static uint64_t real_ids(void) {
  return (uint64_t)getpid() << 32 | (uint32_t)syscall(SYS_gettid);
}

static void check_task(void) {
  struct bpfaot_env env = {0};
  CHECK(__bpfaot_rt_get_current_pid_tgid(&env) == real_ids());
  CHECK(__bpfaot_rt_get_current_uid_gid(&env) == ((uint64_t)getgid() << 32 | getuid()));
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  uint64_t now = __bpfaot_rt_ktime_get_ns(&env);
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(now >= (uint64_t)before.tv_sec * 1000000000u + (uint64_t)before.tv_nsec);
  CHECK(now <= (uint64_t)after.tv_sec * 1000000000u + (uint64_t)after.tv_nsec);
  CHECK(__bpfaot_rt_ktime_get_boot_ns(&env) != 0);
  CHECK(__bpfaot_rt_ktime_get_coarse_ns(&env) != 0 && __bpfaot_rt_ktime_get_tai_ns(&env) != 0);
  CHECK(__bpfaot_rt_jiffies64(&env) != 0);
  struct stat space;
  uint32_t ids[2] = {0, 0};
  CHECK(stat("/proc/self/ns/pid", &space) == 0);
  CHECK(__bpfaot_rt_get_ns_current_pid_tgid(
            &env, (uint64_t)major(space.st_dev) << 20 | minor(space.st_dev), space.st_ino, ids,
            sizeof ids) == 0 &&
        ids[1] == (uint32_t)getpid());
  CHECK(__bpfaot_rt_get_smp_processor_id(&env) < 4096);
  char comm[16];
  CHECK(__bpfaot_rt_get_current_comm(&env, comm, sizeof comm) == 0 && comm[0] && !comm[15]);
  CHECK(__bpfaot_rt_get_prandom_u32(&env) != __bpfaot_rt_get_prandom_u32(&env));
}

static void check_reads(void) {
  struct bpfaot_env env = {0};
  char *page = zeroed(8192, MAP_PRIVATE), out[16];
  munmap(page + 4096, 4096);
  memcpy(page + 4090, "hello", 6);
  CHECK(__bpfaot_rt_probe_read_user_str(&env, out, 16, (uint64_t)(uintptr_t)page + 4090) == 6);
  CHECK(strcmp(out, "hello") == 0);
  CHECK((int64_t)__bpfaot_rt_probe_read_user(&env, out, 16, (uint64_t)(uintptr_t)page + 4090) ==
        -EFAULT);
  CHECK(out[0] == 0);
  CHECK((int64_t)__bpfaot_rt_probe_read(&env, out, 8, 0) == -EFAULT);
}

static void check_hash(void) {
  struct bpfaot_map_view map = make_map(0, 1, 8, 16, 100);
  struct bpfaot_map_desc desc = desc_of(0);
  struct bpfaot_env env = {0};
  for (uint64_t key = 0; key < 120; key++) {
    uint64_t value[2] = {key, ~key};
    int64_t r = (int64_t)__bpfaot_rt_map_update_elem(&env, &desc, &key, value, 1);
    CHECK(r == (key < 100 ? 0 : -E2BIG));
  }
  for (uint64_t key = 0; key < 100; key += 2)
    CHECK(__bpfaot_rt_map_delete_elem(&env, &desc, &key) == 0);
  for (uint64_t key = 0; key < 100; key++) {
    uint64_t* value = __bpfaot_rt_map_lookup_elem(&env, &desc, &key);
    CHECK((value != NULL) == (key % 2 == 1));
    CHECK(!value || value[1] == ~key);
  }
  uint64_t key, count = 0;
  for (int r = bpfaot_map_next_key(&map, NULL, &key); !r; r = bpfaot_map_next_key(&map, &key, &key))
    count++;
  CHECK(count == 50);
}

static int count_record(void* arg, const void* record, uint32_t size, uint32_t cpu) {
  (void)cpu;
  CHECK(size == 8 && memcmp(record, "a record", 8) == 0);
  ++*(uint64_t*)arg;
  return 0;
}

static struct bpfaot_map_view counters, ring;

static void* worker(void* arg) {
  (void)arg;
  struct bpfaot_map_desc desc = desc_of(1), ring_desc = desc_of(2);
  for (int i = 0; i < kRuns; i++) {
    struct bpfaot_env env = {0};
    if (!__bpfaot_rt_enter(&env, BPFAOT_PROG_NEEDS_CPU | BPFAOT_PROG_NEEDS_GUARD))
      return (void*)1;
    uint32_t key = 0;
    volatile uint64_t* value = __bpfaot_rt_map_lookup_elem(&env, &desc, &key);
    *value = *value + 1;
    if (i % 16 == 0) {
      void* record = __bpfaot_rt_ringbuf_reserve(&env, &ring_desc, 8, 0);
      if (record) {
        memcpy(record, "a record", 8);
        __bpfaot_rt_ringbuf_submit(&env, record, 0);
      }
    }
    __bpfaot_rt_leave(&env, BPFAOT_PROG_NEEDS_CPU | BPFAOT_PROG_NEEDS_GUARD);
  }
  struct bpfaot_env env = {0};
  return (void*)(uintptr_t)(__bpfaot_rt_get_current_pid_tgid(&env) != real_ids());
}

static void check_threads(void) {
  counters = make_map(1, 6, 4, 8, 1);
  ring = make_map(2, 27, 0, 0, 1 << 18);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++)
    pthread_create(&threads[i], NULL, worker, NULL);
  for (int i = 0; i < kThreads; i++) {
    void* bad;
    pthread_join(threads[i], &bad);
    CHECK(!bad);
  }
  uint64_t sum = 0, records = 0;
  uint32_t key = 0;
  for (uint32_t cpu = 0; cpu < kCpus; cpu++)
    sum += *(uint64_t*)bpfaot_map_lookup(&counters, &key, cpu);
  CHECK(sum == (uint64_t)kThreads * kRuns);
  bpfaot_ring_consume(&ring, count_record, &records, 0);
  CHECK(records + bpfaot_ring_lost(&ring) == (uint64_t)kThreads * kRuns / 16);
}

static void* queue_worker(void* arg) {
  const struct bpfaot_map_view* map = arg;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kRuns / 4; i++) {
    uint64_t value[3] = {i, i * 3, i * 7};
    if (bpfaot_map_push(map, value, 0) != 0)
      sum++; /* refused ones count like popped ones */
    if (bpfaot_map_pop(map, value) == 0) {
      if (value[1] != value[0] * 3 || value[2] != value[0] * 7)
        return NULL;
      sum++;
    }
  }
  return (void*)(uintptr_t)(sum + 1);
}

/* Elements of an LRU map go from hand to hand; a value must stay with its key. */
static void* lru_worker(void* arg) {
  const struct bpfaot_map_view* map = arg;
  for (uint64_t i = 0; i < kRuns / 4; i++) {
    uint64_t key = i * 7 % 50, value[2] = {key, ~key};
    if (bpfaot_map_update(map, &key, value, 0, 0) != 0)
      return (void*)1;
  }
  return NULL;
}

static void check_lru(void) {
  struct bpfaot_map_view map = make_map(3, 9, 8, 16, 20);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++)
    pthread_create(&threads[i], NULL, lru_worker, &map);
  for (int i = 0; i < kThreads; i++) {
    void* bad;
    pthread_join(threads[i], &bad);
    CHECK(!bad);
  }
  uint64_t key, count = 0;
  for (int r = bpfaot_map_next_key(&map, NULL, &key); !r;
       r = bpfaot_map_next_key(&map, &key, &key)) {
    const uint64_t* value = bpfaot_map_lookup(&map, &key, 0);
    CHECK(value && value[0] == key && value[1] == ~key);
    count++;
  }
  CHECK(count <= 20 && count > 10);
}

static void check_queues(void) {
  for (uint32_t type = 22; type <= 23; type++) {
    struct bpfaot_map_view map = make_map(3, type, 0, 24, kThreads / 2);
    pthread_t threads[kThreads];
    for (int i = 0; i < kThreads; i++)
      pthread_create(&threads[i], NULL, queue_worker, &map);
    uint64_t sum = 0, value[3];
    for (int i = 0; i < kThreads; i++) {
      void* result;
      pthread_join(threads[i], &result);
      CHECK(result);
      sum += (uintptr_t)result - 1;
    }
    while (bpfaot_map_pop(&map, value) == 0)
      sum++;
    CHECK(sum == (uint64_t)kThreads * (kRuns / 4));
  }
}

static void check_death(void) {
  pid_t child = fork();
  if (child == 0) {
    /* qemu-user accepts MADV_WIPEONFORK and ignores it */
    *(uint64_t*)(uintptr_t)rt->fork_page = 0;
    struct bpfaot_env env = {0};
    struct bpfaot_map_desc desc = desc_of(2);
    __bpfaot_rt_ringbuf_reserve(&env, &desc, 8, 0);
    raise(SIGKILL);
  }
  waitpid(child, NULL, 0);
  struct bpfaot_env env = {0};
  struct bpfaot_map_desc desc = desc_of(2);
  uint64_t records = 0;
  CHECK(__bpfaot_rt_ringbuf_output(&env, &desc, "a record", 8, 0) == 0);
  bpfaot_ring_consume(&ring, count_record, &records, 0);
  CHECK(records == 1);
}

int main(void) {
  make_process();
  check_task();
  check_reads();
  check_hash();
  check_threads();
  check_queues();
  check_lru();
  check_death();
  printf("%llu failures\n", (unsigned long long)failures);
  return failures != 0;
}
