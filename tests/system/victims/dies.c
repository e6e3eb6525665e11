// SPDX-License-Identifier: MIT
// dies -SIGNAL | dies STATUS: calls work() 25 times and ends that way, from inside work().
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) long work(long end) {
  if (end < 0)
    kill(getpid(), (int)-end);
  if (end > 0)
    exit((int)end);
  return end;
}

int main(int argc, char **argv) {
  for (int i = 0; i < 24; i++)
    work(0);
  work(atol(argv[1]));
  return 99;
}
