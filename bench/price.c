// SPDX-License-Identifier: MIT
//
// What a probe adds to a call, measured from inside one process: functions of three shapes, each
// plain, with our probes and with the kernel's, called in random order in rounds. `bpf-aot run` puts
// our probes in from outside (bench/run.sh); the kernel's are attached here, with the object given as
// the first argument ("-": without them).
//
// The shapes are the beginnings that decide what a kernel uprobe costs: a push it emulates, a nop of
// five bytes it turns into a call, anything else (endbr64) it single-steps out of line.
//
// Prints `shape kind way calls least median` with nanoseconds per call, and `kernel-count` rows with
// what the kernel's programs counted.
#define _GNU_SOURCE
#include "kernel.h"

#include <bpf/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "the shapes are those of x86_64"
#endif

enum { kRounds = 40, kShapes = 3, kCalls = 50000, kEventCalls = 4000, kKernelCalls = 500 };

// 64 bytes apart, so that no two share a cache line.
#define FUNCTION(name, first, last)                                                                \
  __asm__(".pushsection .text\n.balign 64\n.globl " name "\n.type " name ", @function\n" name      \
          ":\n" first "\n  lea (%rdi,%rdi,2), %rax\n  add %rsi, %rax\n" last "\n  ret\n.size "     \
          name ", . - " name "\n.popsection")
#define SHAPE(shape, first, last)                                                                  \
  FUNCTION("plain_" #shape, first, last);                                                          \
  FUNCTION("ours_entry_" #shape, first, last);                                                     \
  FUNCTION("ours_return_" #shape, first, last);                                                    \
  FUNCTION("ours_both_" #shape, first, last);                                                      \
  FUNCTION("ours_event_" #shape, first, last);                                                     \
  FUNCTION("kernel_entry_" #shape, first, last);                                                   \
  FUNCTION("kernel_return_" #shape, first, last);                                                  \
  FUNCTION("kernel_both_" #shape, first, last);                                                    \
  FUNCTION("kernel_event_" #shape, first, last);                                                   \
  uint64_t plain_##shape(uint64_t, uint64_t), ours_entry_##shape(uint64_t, uint64_t),              \
      ours_return_##shape(uint64_t, uint64_t), ours_both_##shape(uint64_t, uint64_t),              \
      ours_event_##shape(uint64_t, uint64_t), kernel_entry_##shape(uint64_t, uint64_t),            \
      kernel_return_##shape(uint64_t, uint64_t), kernel_both_##shape(uint64_t, uint64_t),          \
      kernel_event_##shape(uint64_t, uint64_t);

SHAPE(push, "  push %rbp\n  mov %rsp, %rbp", "  pop %rbp")
SHAPE(nop5, "  .byte 0x0f, 0x1f, 0x44, 0, 0", "") // the assembler would drop the zero
SHAPE(endbr64, "  endbr64", "")

struct subject {
  const char *shape, *kind, *way;
  uint64_t (*call)(uint64_t, uint64_t);
  int calls;
  double ns[kRounds];
};

#define SUBJECTS(shape)                                                                            \
  {#shape, "plain", "plain", plain_##shape, kCalls, {0}},                                          \
      {#shape, "entry", "ours", ours_entry_##shape, kCalls, {0}},                                  \
      {#shape, "return", "ours", ours_return_##shape, kCalls, {0}},                                \
      {#shape, "both", "ours", ours_both_##shape, kCalls, {0}},                                    \
      {#shape, "event", "ours", ours_event_##shape, kEventCalls, {0}},                             \
      {#shape, "entry", "kernel", kernel_entry_##shape, kKernelCalls, {0}},                        \
      {#shape, "return", "kernel", kernel_return_##shape, kKernelCalls, {0}},                      \
      {#shape, "both", "kernel", kernel_both_##shape, kKernelCalls, {0}},                          \
      {#shape, "event", "kernel", kernel_event_##shape, kKernelCalls, {0}},

static struct subject subjects[] = {SUBJECTS(push) SUBJECTS(nop5) SUBJECTS(endbr64)};
enum { kSubjects = sizeof subjects / sizeof subjects[0] };
static const char *const shapes[kShapes] = {"push", "nop5", "endbr64"};

static int less(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(struct subject *s, int round) {
  static volatile uint64_t sink;
  struct timespec begin, end;
  for (int n = 0; n < 100; ++n) // what the last subject has pushed out of the caches; not counted in ns
    sink = s->call((uint64_t)n, sink);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int n = 0; n < s->calls; ++n)
    sink = s->call((uint64_t)n, sink);
  clock_gettime(CLOCK_MONOTONIC, &end);
  s->ns[round] =
      ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / s->calls;
}

static uint64_t kernel_events[kShapes];
static int on_event(void *context, void *data, size_t size) {
  (void)context;
  const uint64_t shape = *(const uint64_t *)data;
  if (size == 64 && shape < kShapes)
    ++kernel_events[shape];
  return 0;
}

static int attach(struct bpf_object *object, const char *program, const char *function, bool is_return) {
  char name[64];
  LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = is_return);
  struct bpf_program *found = bpf_object__find_program_by_name(object, program);
  snprintf(name, sizeof name, "/proc/%d/exe", getpid());
  return found && bpf_program__attach_uprobe_opts(found, getpid(), name, 0, &options) ? 0 : -1;
}

static int attach_all(struct bpf_object *object) {
  for (int i = 0; i < kShapes; ++i) {
    static const char *const wanted[5][3] = {{"entry_%s", "kernel_entry_%s", ""},
                                             {"return_%s", "kernel_return_%s", "r"},
                                             {"both_entry_%s", "kernel_both_%s", ""},
                                             {"both_return_%s", "kernel_both_%s", "r"},
                                             {"event_%s", "kernel_event_%s", ""}};
    for (int k = 0; k < 5; ++k) {
      char program[64], function[64];
      snprintf(program, sizeof program, wanted[k][0], shapes[i]);
      snprintf(function, sizeof function, wanted[k][1], shapes[i]);
      if (attach(object, program, function, wanted[k][2][0] == 'r') != 0)
        return -1;
    }
  }
  return 0;
}

int main(int count, char **arguments) {
  struct bpf_object *object = NULL;
  struct ring_buffer *ring = NULL;
  if (count > 1 && strcmp(arguments[1], "-") != 0) {
    object = load_into_kernel(arguments[1]);
    if (!object || attach_all(object) != 0) {
      fprintf(stderr, "the kernel does not take the probes: %s\n", strerror(errno));
      printf("kernel-absent %s\n", strerror(errno));
      object = NULL;
    } else {
      ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), on_event, NULL, NULL);
    }
  }
  srand((unsigned)time(NULL));
  for (int round = 0; round < kRounds; ++round) {
    int order[kSubjects];
    for (int i = 0; i < kSubjects; ++i) {
      const int j = rand() % (i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    for (int i = 0; i < kSubjects; ++i) {
      struct subject *s = &subjects[order[i]];
      if (object || strcmp(s->way, "kernel") != 0)
        measure(s, round);
      if (ring)
        ring_buffer__consume(ring);
    }
    usleep(120000); // longer than bpf-aot's longest pause between two looks at the ring
  }
  for (int i = 0; i < kSubjects; ++i) {
    struct subject *s = &subjects[i];
    if (!object && strcmp(s->way, "kernel") == 0)
      continue;
    qsort(s->ns, kRounds, sizeof(double), less);
    printf("%s %s %s %d %.2f %.2f\n", s->shape, s->kind, s->way, kRounds * (s->calls + 100), s->ns[0],
           s->ns[kRounds / 2]);
  }
  for (int i = 0; object && i < kShapes; ++i) {
    uint64_t counted[4] = {0};
    for (uint32_t k = 0; k < 4; ++k) {
      const uint32_t key = (uint32_t)i * 4 + k;
      bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "counts"), &key, &counted[k]);
    }
    printf("kernel-count %s %llu %llu %llu %llu %llu\n", shapes[i], (unsigned long long)counted[0],
           (unsigned long long)counted[1], (unsigned long long)counted[2], (unsigned long long)counted[3],
           (unsigned long long)kernel_events[i]);
  }
  return 0;
}
