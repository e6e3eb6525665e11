// SPDX-License-Identifier: MIT
// Threads that are born and die all the time, and a child that is forked and waited for again and again,
// each calling work(); "end" stops it and prints how many results were wrong.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int stop;
static atomic_long wrong, rounds;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static void *brief(void *unused) {
  for (long i = 0; i < 200; i++)
    wrong += work(i) != i + 1;
  return 0;
}

static void *breed(void *unused) {
  while (!stop) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
      if (pthread_create(&t[i], 0, brief, 0))
        wrong++;
    for (int i = 0; i < 4; i++)
      pthread_join(t[i], 0);
    rounds++;
  }
  return 0;
}

static void *forks(void *unused) {
  while (!stop) {
    pid_t child = fork();
    if (child == 0) {
      long bad = 0;
      for (long i = 0; i < 200; i++)
        bad += work(i) != i + 1;
      _exit(bad != 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      wrong++;
    rounds++;
  }
  return 0;
}

int main(void) {
  pthread_t t[3];
  char line[16];
  setvbuf(stdout, 0, _IOLBF, 0);
  pthread_create(&t[0], 0, breed, 0);
  pthread_create(&t[1], 0, breed, 0);
  pthread_create(&t[2], 0, forks, 0);
  printf("ready %d\n", (int)getpid());
  if (!fgets(line, sizeof line, stdin))
    return 1;
  stop = 1;
  for (int i = 0; i < 3; i++)
    pthread_join(t[i], 0);
  printf("rounds %d wrong %ld\n", rounds > 0, (long)wrong);
  return 0;
}
