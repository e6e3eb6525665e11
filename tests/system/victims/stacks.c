// SPDX-License-Identifier: MIT
// leaf() is called from many places, through frames that keep their frame pointers; up to 80 deep.
#include <stdio.h>
#include <stdlib.h>

#define FUNCTION __attribute__((noinline, noclone))
volatile long total;

FUNCTION long leaf(long i) {
  total += i;
  return i + 1;
}
FUNCTION long left(long n, long i);
FUNCTION long right(long n, long i) {
  long r = n > 0 ? (n & 1 ? left(n - 1, i) : right(n - 1, i)) : leaf(i);
  total++;
  return r;
}
FUNCTION long left(long n, long i) {
  long r = n > 0 ? (i & 2 ? left(n - 1, i) : right(n - 1, i)) : leaf(i);
  total += 2;
  return r;
}
FUNCTION long middle(long i) {
  long r = i & 1 ? left(i % 7, i) : right(i % 80, i);
  total += 3;
  return r;
}

int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 10, sum = 0;
  for (long i = 0; i < n; i++)
    sum += middle(i);
  if (argc > 2) { // wait to be looked at
    puts("done");
    fflush(stdout);
    getchar();
  }
  printf("%ld\n", sum);
  return 0;
}
