// SPDX-License-Identifier: MIT
// cycles THREADS busy|idle [signals] [forks]: threads that call work(serial, caller) with numbers that
// run on; a handler of SIGUSR1, which comes to any thread at any moment, is a caller of its own; children
// are forked and call it too. "end" on stdin stops it; prints the calls and how many results were wrong.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop, busy;
static unsigned long wrong, calls;
static pthread_t threads[64];
static __thread unsigned long in_handler;
static __thread long self = -1;

__attribute__((noinline)) unsigned long work(unsigned long serial, unsigned long caller) {
  unsigned long result = serial * 512;
  __asm__ volatile("" : "+r"(result));
  return result + caller;
}

static void call(unsigned long serial, unsigned long caller) {
  if (work(serial, caller) != serial * 512 + caller)
    __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void handler(int signal) {
  (void)signal;
  if (self >= 0)
    call(in_handler++, 128 + (unsigned long)self);
}

static void *caller(void *index) {
  unsigned long serial = 0;
  self = (long)index;
  while (!stop) {
    call(serial++, (unsigned long)self);
    if (!busy)
      usleep(500);
  }
  __atomic_fetch_add(&calls, serial, __ATOMIC_RELAXED);
  return 0;
}

static void *signals(void *count) {
  unsigned seed = 1;
  while (!stop) {
    pthread_kill(threads[rand_r(&seed) % (unsigned long)count], SIGUSR1);
    usleep(300);
  }
  return 0;
}

static void *forks(void *unused) {
  while (!stop) {
    pid_t child = fork();
    if (child == 0) {
      unsigned long before = wrong;
      for (unsigned long i = 0; i < 200; i++)
        call(i, 400);
      _exit(wrong != before);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    usleep(2000);
  }
  return unused;
}

int main(int argc, char **argv) {
  pthread_t extra[2];
  char line[16];
  int count = atoi(argv[1]), extras = 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, 0);
  setvbuf(stdout, 0, _IOLBF, 0);
  busy = !strcmp(argv[2], "busy");
  for (long i = 0; i < count; i++)
    pthread_create(&threads[i], 0, caller, (void *)i);
  for (int i = 3; i < argc; i++)
    pthread_create(&extra[extras++], 0, !strcmp(argv[i], "forks") ? forks : signals, (void *)(long)count);
  printf("ready %d\n", (int)getpid());
  if (!fgets(line, sizeof line, stdin))
    return 1;
  stop = 1;
  for (int i = 0; i < count; i++)
    pthread_join(threads[i], 0);
  for (int i = 0; i < extras; i++)
    pthread_join(extra[i], 0);
  printf("calls %d wrong %lu\n", calls > 0, wrong);
  return 0;
}
