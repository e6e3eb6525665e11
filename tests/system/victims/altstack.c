// SPDX-License-Identifier: MIT
// Calls work() until SIGUSR1 comes. Its handler, on an alternate stack, says "inside" and waits for a line
// on stdin; then the loop ends, and the sum is checked.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t came;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

static void handler(int signal) {
  char byte = 0;
  (void)signal;
  (void)!write(1, "inside\n", 7);
  while (byte != '\n' && read(0, &byte, 1) == 1) {
  }
  came = 1;
}

int main(void) {
  stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  long calls = 0, wrong = 0;
  setvbuf(stdout, 0, _IOLBF, 0);
  if (sigaltstack(&other, 0) != 0 || sigaction(SIGUSR1, &action, 0) != 0)
    return 1;
  printf("ready %d\n", (int)getpid());
  while (!came) {
    wrong += work(calls) != calls + 1;
    calls++;
  }
  printf("%s wrong %ld\n", calls > 0 ? "called" : "idle", wrong);
  return 0;
}
