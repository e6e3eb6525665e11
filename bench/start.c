// SPDX-License-Identifier: MIT
//
// How long commands take from their start to their end, one after the other in random order, round
// by round. usage: start ROUNDS NAME COMMAND… [+ NAME COMMAND…]…; prints `name least median` in
// milliseconds. A command that fails ends it all.
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { kMostRounds = 1000, kMostCommands = 16 };

struct command {
  char **words; // the name first
  double ms[kMostRounds];
};

extern char **environ;

static int less(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double run(char **words, posix_spawn_file_actions_t *silent) {
  struct timespec begin, end;
  pid_t child;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  if (posix_spawn(&child, words[0], silent, NULL, words, environ) != 0 || waitpid(child, &status, 0) < 0 ||
      status != 0) {
    fprintf(stderr, "%s failed\n", words[0]);
    exit(1);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
}

int main(int count, char **arguments) {
  static struct command commands[kMostCommands];
  int used = 0;
  const int rounds = count > 1 ? atoi(arguments[1]) : 0;
  if (rounds < 1 || rounds > kMostRounds)
    return 2;
  for (int i = 2; i < count && used < kMostCommands; ++i) {
    commands[used++].words = &arguments[i];
    while (i < count && strcmp(arguments[i], "+") != 0)
      ++i;
    arguments[i] = NULL;
  }
  posix_spawn_file_actions_t silent;
  posix_spawn_file_actions_init(&silent);
  posix_spawn_file_actions_addopen(&silent, 1, "/dev/null", O_WRONLY, 0);
  srand((unsigned)time(NULL));
  for (int round = 0; round < rounds; ++round) {
    int order[kMostCommands];
    for (int i = 0; i < used; ++i) {
      const int j = rand() % (i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    for (int i = 0; i < used; ++i)
      commands[order[i]].ms[round] = run(commands[order[i]].words + 1, &silent);
  }
  for (int i = 0; i < used; ++i) {
    qsort(commands[i].ms, (size_t)rounds, sizeof(double), less);
    printf("%s %.3f %.3f\n", commands[i].words[0], commands[i].ms[0], commands[i].ms[rounds / 2]);
  }
  return 0;
}
