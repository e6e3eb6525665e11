// SPDX-License-Identifier: MIT
// A timer signal interrupts work() at any instruction; its handler (every other one on an alternate
// stack) calls handler_work(). Then SIGSEGV is raised and left with siglongjmp. Prints
// "fine CALLS HANDLED", what the probes must have counted.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static volatile long handled, wrong;
static sigjmp_buf home;

__attribute__((noinline)) long work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

__attribute__((noinline)) long handler_work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 2;
}

static void on_timer(int sig) {
  long before = handled;
  if (handler_work(before) != before + 2)
    wrong++;
  handled = before + 1;
}

static void on_fault(int sig) { siglongjmp(home, 1); }

int main(void) {
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction a;
  memset(&a, 0, sizeof a);
  a.sa_handler = on_timer;
  sigaddset(&a.sa_mask, SIGALRM);
  sigaddset(&a.sa_mask, SIGVTALRM); // a lost update of `handled` would look like a lost probe
  sigaction(SIGALRM, &a, 0);
  a.sa_flags = SA_ONSTACK;
  sigaction(SIGVTALRM, &a, 0);
  a.sa_handler = on_fault;
  sigaction(SIGSEGV, &a, 0);
  struct itimerval t = {{0, 400}, {0, 400}};
  setitimer(ITIMER_REAL, &t, 0);
  setitimer(ITIMER_VIRTUAL, &t, 0);
  static long calls, faults;
  while (handled < 400) {
    for (int k = 0; k < 1000; k++) {
      if (work(calls) != calls + 1)
        wrong++;
      calls++;
    }
  }
  memset(&t, 0, sizeof t);
  setitimer(ITIMER_REAL, &t, 0);
  setitimer(ITIMER_VIRTUAL, &t, 0);
  for (int i = 0; i < 50; i++) {
    if (sigsetjmp(home, 1) == 0)
      *(volatile int *)8 = 1;
    else
      faults++;
    if (work(calls) != calls + 1)
      wrong++;
    calls++;
  }
  printf("%s %ld %ld\n", wrong || faults != 50 ? "wrong" : "fine", calls, handled);
  return wrong != 0;
}
