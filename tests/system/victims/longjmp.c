// SPDX-License-Identifier: MIT
// Calls outer -> inner N times; inner jumps out over both frames every second time.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf home;

__attribute__((noinline)) long inner(long i) {
  if (i & 1)
    longjmp(home, 1);
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

__attribute__((noinline)) long outer(long i) {
  long r = inner(i);
  __asm__ volatile("" : "+r"(r));
  return r + 1;
}

int main(int argc, char **argv) {
  static long jumped, returned, i, n;
  n = argc > 1 ? atol(argv[1]) : 10;
  for (i = 0; i < n; i++) {
    if (setjmp(home)) {
      jumped++;
      continue;
    }
    if (outer(i) == i + 2)
      returned++;
  }
  printf("jumped %ld returned %ld\n", jumped, returned);
  return 0;
}
