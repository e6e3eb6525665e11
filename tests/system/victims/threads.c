// SPDX-License-Identifier: MIT
// threads T N: T threads call work(i) for i = 0..N-1. Prints each thread's id and the sum.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long n;
static atomic_long sum;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static void *thread(void *unused) {
  long own = 0;
  for (long i = 0; i < n; i++)
    own += work(i);
  sum += own;
  printf("thread %ld\n", (long)syscall(SYS_gettid));
  return 0;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 2;
  n = argc > 2 ? atol(argv[2]) : 100;
  pthread_t threads[64];
  for (int t = 0; t < count; t++)
    pthread_create(&threads[t], 0, thread, 0);
  for (int t = 0; t < count; t++)
    pthread_join(threads[t], 0);
  printf("sum %ld\n", (long)sum);
  return 0;
}
