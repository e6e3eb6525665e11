// SPDX-License-Identifier: MIT
// recursion DEPTH TIMES…: TIMES times the sum 0..DEPTH by recursion, for each pair.
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) long down(long n) {
  if (n == 0)
    return 0;
  long below = down(n - 1);
  __asm__ volatile("" : "+r"(below));
  return below + n;
}

int main(int argc, char **argv) {
  long sum = 0;
  for (int a = 1; a + 1 < argc; a += 2)
    for (long i = 0; i < atol(argv[a + 1]); i++)
      sum += down(atol(argv[a]));
  printf("%ld\n", sum);
  return 0;
}
