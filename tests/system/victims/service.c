// SPDX-License-Identifier: MIT
// service [T]: obeys lines on stdin. "call N": work() N times, in the main thread; "spin": T threads
// call work() without end until "stop", which answers how often they did; "bytes S": a hexadecimal
// digest of the first bytes of work and other; "sleep": a thread waits inside other(); "wake" lets it
// return; "segv": dies. Each answer is one line.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long spun;
static atomic_int stop;
static sem_t wake;
static pthread_t sleeper;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

__attribute__((noinline)) long other(long i) {
  sem_wait(&wake);
  __asm__ volatile("" : "+r"(i));
  return i + 2;
}

static void *spin(void *unused) {
  long own = 0, wrong = 0;
  while (!stop) {
    wrong += work(own) != own + 1;
    own++;
  }
  spun += own;
  return (void *)wrong;
}

static void *sleeping(void *unused) { return (void *)other(40); }

static unsigned long digest(const void *function) {
  unsigned long d = 14695981039346656037ul;
  for (int i = 0; i < 24; i++)
    d = (d ^ ((const unsigned char *)function)[i]) * 1099511628211ul;
  return d;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1;
  pthread_t threads[64];
  char line[256];
  setvbuf(stdout, 0, _IOLBF, 0);
  sem_init(&wake, 0, 0);
  printf("ready %d\n", (int)getpid());
  while (fgets(line, sizeof line, stdin)) {
    if (!strncmp(line, "call ", 5)) {
      long n = atol(line + 5), sum = 0;
      for (long i = 0; i < n; i++)
        sum += work(i);
      printf("sum %ld\n", sum);
    } else if (!strncmp(line, "spin", 4)) {
      stop = 0;
      spun = 0;
      for (int t = 0; t < count; t++)
        pthread_create(&threads[t], 0, spin, 0);
      puts("spinning");
    } else if (!strncmp(line, "stop", 4)) {
      long wrong = 0;
      stop = 1;
      for (int t = 0; t < count; t++) {
        void *w;
        pthread_join(threads[t], &w);
        wrong += (long)w;
      }
      printf("spun %ld wrong %ld\n", (long)spun, wrong);
    } else if (!strncmp(line, "bytes", 5)) {
      printf("%lx %lx\n", digest((const void *)work), digest((const void *)other));
    } else if (!strncmp(line, "sleep", 5)) {
      pthread_create(&sleeper, 0, sleeping, 0);
      puts("sleeping");
    } else if (!strncmp(line, "wake", 4)) {
      void *r;
      sem_post(&wake);
      pthread_join(sleeper, &r);
      printf("woke %ld\n", (long)r);
    } else if (!strncmp(line, "segv", 4)) {
      *(volatile int *)8 = 1;
    }
  }
  return 0;
}
