// SPDX-License-Identifier: MIT
// two N M: calls first() N times and second() M times.
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long first(long i) {
  __asm__ volatile("" : "+r"(i));
  return i * 3;
}

__attribute__((noinline)) long second(long i) {
  __asm__ volatile("" : "+r"(i));
  return i * 5;
}

int main(int argc, char **argv) {
  long sum = 0, n = argc > 1 ? atol(argv[1]) : 0, m = argc > 2 ? atol(argv[2]) : 0;
  for (long i = 0; i < n; i++)
    sum += first(i);
  for (long i = 0; i < m; i++)
    sum += second(i);
  printf("%ld\n", sum);
  return 0;
}
