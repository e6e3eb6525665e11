// SPDX-License-Identifier: MIT
// Calls work(i) for i = 0..N-1 and prints the sum of what it returns (i + 1 each).
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 10, sum = 0;
  for (long i = 0; i < n; i++)
    sum += work(i);
  printf("%ld\n", sum);
  return 0;
}
