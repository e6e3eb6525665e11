// SPDX-License-Identifier: MIT
// Fifty threads each leave body() by pthread_exit, by cancellation, and by returning.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_long cleanups;
static atomic_int blocked;

static void cleanup(void *unused) { cleanups++; }

__attribute__((noinline)) static void leave(long how) {
  if (how == 0)
    pthread_exit((void *)7);
  if (how == 1) {
    blocked = 1;
    for (;;)
      pause();
  }
}

__attribute__((noinline)) long body(long how) {
  pthread_cleanup_push(cleanup, 0);
  leave(how);
  pthread_cleanup_pop(0);
  __asm__ volatile("" : "+r"(how));
  return how + 1;
}

static void *thread(void *how) { return (void *)body((long)how); }

int main(void) {
  long exited = 0, cancelled = 0, returned = 0;
  for (int round = 0; round < 150; round++) {
    pthread_t t;
    void *result;
    long how = round % 3;
    blocked = 0;
    pthread_create(&t, 0, thread, (void *)how);
    if (how == 1) {
      while (!blocked)
        usleep(100);
      pthread_cancel(t);
    }
    pthread_join(t, &result);
    exited += how == 0 && result == (void *)7;
    cancelled += how == 1 && result == PTHREAD_CANCELED;
    returned += how == 2 && result == (void *)3;
  }
  printf("exited %ld cancelled %ld cleanups %ld returned %ld\n", exited, cancelled, (long)cleanups, returned);
  return 0;
}
