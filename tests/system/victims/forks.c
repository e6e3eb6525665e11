// SPDX-License-Identifier: MIT
// forks CHILDREN N: calls work() N times in the parent and in each child.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

__attribute__((noinline)) long forks(void) {
  long pid = fork();
  __asm__ volatile("" : "+r"(pid));
  return pid;
}

static int calls(long n) {
  int wrong = 0;
  for (long i = 0; i < n; i++)
    wrong += work(i) != i + 1;
  return wrong;
}

int main(int argc, char **argv) {
  int children = atoi(argv[1]), fine = 0;
  long n = atol(argv[2]);
  setvbuf(stdout, 0, _IOLBF, 0);
  printf("parent %d\n", (int)getpid());
  calls(n / 2);
  for (int i = 0; i < children; i++) {
    if (forks() == 0) {
      printf("child %d\n", (int)getpid());
      _exit(calls(n));
    }
    int status;
    wait(&status);
    fine += status == 0;
  }
  calls(n - n / 2);
  printf("%d children fine\n", fine);
  return fine != children;
}
