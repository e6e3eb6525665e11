// SPDX-License-Identifier: MIT
//
// The cost of a probe, measured from inside: equal functions, of which some are probed from outside
// (bench/probes.sh), called in turns in one process. Prints one line per function: name, least and
// median nanoseconds per call.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kRounds = 60, kCalls = 200000 };

// Long enough for a jump on every machine, and not to be folded into one another.
#define SUBJECT(name)                                                                              \
  __attribute__((noinline, noclone, aligned(64))) uint64_t name(uint64_t a, uint64_t b) {          \
    volatile uint64_t c = a * 3 + b;                                                               \
    return c;                                                                                      \
  }

SUBJECT(plain)
SUBJECT(entry_array)
SUBJECT(entry_percpu)
SUBJECT(return_array)
SUBJECT(both_array)
SUBJECT(entry_event)

struct subject {
  const char *name;
  uint64_t (*call)(uint64_t, uint64_t);
  double ns[kRounds];
};

static int less(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(void) {
  static struct subject subjects[] = {
      {"plain", plain, {0}},          {"entry_array", entry_array, {0}}, {"entry_percpu", entry_percpu, {0}},
      {"return_array", return_array, {0}}, {"both_array", both_array, {0}},   {"entry_event", entry_event, {0}},
  };
  enum { kSubjects = sizeof subjects / sizeof subjects[0] };
  volatile uint64_t sink = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kSubjects; ++i) {
      struct subject *s = &subjects[(i + round) % kSubjects];
      struct timespec begin, end;
      clock_gettime(CLOCK_MONOTONIC, &begin);
      for (uint64_t n = 0; n < kCalls; ++n)
        sink = s->call(n, sink);
      clock_gettime(CLOCK_MONOTONIC, &end);
      s->ns[round] = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / kCalls;
    }
  }
  for (int i = 0; i < kSubjects; ++i) {
    qsort(subjects[i].ns, kRounds, sizeof(double), less);
    printf("%s %.2f %.2f\n", subjects[i].name, subjects[i].ns[0], subjects[i].ns[kRounds / 2]);
  }
  return 0;
}
