// SPDX-License-Identifier: MIT
// Prints what a process can see of itself that a tool might disturb.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
  for (long i = 0; i < 3; i++)
    work(i);
  for (int i = 0; i < argc; i++)
    printf("argument %d: %s\n", i, argv[i]);
  int n = 0;
  while (environ[n])
    n++;
  qsort(environ, (size_t)n, sizeof *environ, by_text);
  for (int i = 0; i < n; i++)
    if (environ[i][0] != '_') // the shell's name of the last command
      printf("environment %s\n", environ[i]);
  char path[512], link[512];
  printf("directory %s\n", getcwd(path, sizeof path));
  for (int fd = 0; fd < 1024; fd++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(path, link, sizeof link - 1);
    if (size < 0)
      continue;
    link[size] = 0;
    if (fd != 1 && fd != 2)
      printf("descriptor %d: %s flags %x %x\n", fd, link, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  }
  FILE *status = fopen("/proc/self/status", "r");
  char line[512];
  while (status && fgets(line, sizeof line, status))
    if (!strncmp(line, "Sig", 3) || !strncmp(line, "Shd", 3) || !strncmp(line, "TracerPid", 9) || !strncmp(line, "Threads", 7) ||
        !strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "Seccomp", 7) || !strncmp(line, "Umask", 5))
      if (strncmp(line, "SigQ", 4))
        fputs(line, stdout);
  for (int r = 0; r < RLIMIT_NLIMITS; r++) {
    struct rlimit limit;
    getrlimit(r, &limit);
    printf("limit %d: %lx %lx\n", r, (long)limit.rlim_cur, (long)limit.rlim_max);
  }
  if (fgets(line, sizeof line, stdin))
    printf("stdin %s", line);
  fputs("to stderr\n", stderr);
  return 0;
}
