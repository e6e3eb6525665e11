// SPDX-License-Identifier: MIT
// execs exec|spawn|vfork|system PROGRAM ARGS…: calls work() ten times, starts the program, and unless
// it was replaced calls work() ten times more.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static void ten(void) {
  for (long i = 0; i < 10; i++)
    work(i);
}

int main(int argc, char **argv) {
  int status = 0;
  pid_t pid;
  ten();
  if (!strcmp(argv[1], "exec")) {
    execv(argv[2], argv + 2);
    return 99;
  }
  if (!strcmp(argv[1], "spawn")) {
    if (posix_spawn(&pid, argv[2], 0, 0, argv + 2, environ))
      return 98;
    waitpid(pid, &status, 0);
  } else if (!strcmp(argv[1], "vfork")) {
    pid = vfork();
    if (pid == 0) {
      execv(argv[2], argv + 2);
      _exit(97);
    }
    waitpid(pid, &status, 0);
  } else {
    char line[256];
    snprintf(line, sizeof line, "%s %s", argv[2], argv[3]);
    status = system(line);
  }
  ten();
  return status != 0;
}
