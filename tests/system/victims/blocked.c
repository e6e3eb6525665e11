// SPDX-License-Identifier: MIT
// A thread in each kind of call that waits and that the kernel restarts after a stop; on "end" all are
// let go, and what any of them returned before is printed. "call N" works as in service.c.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kKinds = 8 };
static int pipes[kKinds][2];
static int word;
static sem_t semaphore;
static atomic_int ended;
static char trouble[512];

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static void expect(const char *what, long got, long want) {
  if (!ended || got != want)
    snprintf(trouble + strlen(trouble), sizeof trouble - strlen(trouble), " %s:%ld(%s)", what, got, strerror(errno));
}

static void *blocked(void *argument) {
  long kind = (long)argument;
  char byte;
  int fd = pipes[kind][0];
  fd_set set;
  struct timespec end;
  struct pollfd p = {.fd = fd, .events = POLLIN};
  errno = 0;
  switch (kind) {
  case 0: expect("read", read(fd, &byte, 1), 1); break;
  case 1: expect("poll", poll(&p, 1, 60000), 1); break;
  case 2:
    FD_ZERO(&set);
    FD_SET(fd, &set);
    expect("select", select(fd + 1, &set, 0, 0, 0), 1);
    break;
  case 3: expect("futex", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0), 0); break;
  case 4: expect("sem_wait", sem_wait(&semaphore), 0); break;
  case 5: expect("recv", recv(fd, &byte, 1, 0), 1); break;
  case 6:
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 60;
    expect("ppoll", ppoll(&p, 1, &(struct timespec){60, 0}, 0), 1);
    break;
  case 7: {
    pid_t child = fork();
    if (child == 0) {
      read(fd, &byte, 1);
      _exit(5);
    }
    int status;
    expect("waitpid", waitpid(child, &status, 0), child);
    break;
  }
  }
  return 0;
}

int main(void) {
  pthread_t threads[kKinds];
  char line[64];
  setvbuf(stdout, 0, _IOLBF, 0);
  sem_init(&semaphore, 0, 0);
  for (long k = 0; k < kKinds; k++) {
    if (k == 5 ? socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[k]) : pipe(pipes[k]))
      return 1;
    pthread_create(&threads[k], 0, blocked, (void *)k);
  }
  usleep(200000);
  printf("ready %d\n", (int)getpid());
  while (fgets(line, sizeof line, stdin)) {
    if (!strncmp(line, "call ", 5)) {
      long n = atol(line + 5), sum = 0;
      for (long i = 0; i < n; i++)
        sum += work(i);
      printf("sum %ld\n", sum);
    } else if (!strncmp(line, "end", 3)) {
      ended = 1;
      for (int k = 0; k < kKinds; k++)
        if (write(pipes[k][1], "x", 1) != 1)
          return 1;
      word = 1;
      syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
      sem_post(&semaphore);
      for (int k = 0; k < kKinds; k++)
        pthread_join(threads[k], 0);
      printf("trouble:%s\n", *trouble ? trouble : " none");
    }
  }
  return 0;
}
