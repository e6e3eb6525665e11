// SPDX-License-Identifier: MIT
// Calls lib_work() four times before main and five times in main.
#include <stdio.h>
long lib_work(long);

__attribute__((noinline)) long own_work(long i) {
  __asm__ volatile("" : "+r"(i));
  return lib_work(i);
}

__attribute__((constructor)) static void construct(void) {
  for (long i = 0; i < 4; i++)
    own_work(i);
}

int main(void) {
  long sum = 0;
  for (long i = 0; i < 5; i++)
    sum += lib_work(i);
  printf("%ld\n", sum);
  return 0;
}
