// SPDX-License-Identifier: MIT
// Calls through() N times; it throws every second time from a callee.
#include <cstdio>
#include <cstdlib>

static volatile long sink;

__attribute__((noinline)) static void thrower(long i) {
  if (i & 1)
    throw i;
  sink = i;
}

extern "C" __attribute__((noinline)) long through(long i) {
  struct Guard {
    ~Guard() { sink = sink + 1; }
  } guard;
  thrower(i);
  return i + 1;
}

int main(int argc, char **argv) {
  long caught = 0, returned = 0;
  for (long i = 0; i < (argc > 1 ? atol(argv[1]) : 10); i++) {
    try {
      if (through(i) == i + 1)
        returned++;
    } catch (long value) {
      if (value == i)
        caught++;
    }
  }
  std::printf("caught %ld returned %ld\n", caught, returned);
}
