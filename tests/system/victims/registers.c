// SPDX-License-Identifier: MIT
// Fills every register with known values, calls the probed functions of registers.S fifty times each,
// and compares what comes out.
#include <complex.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
  uint64_t general[16];
  uint64_t flags;
  uint8_t xmm[16][16];
  uint32_t mxcsr;
};

extern struct state given, seen;
extern void (*callee)(void);
extern uint64_t red_zone[5];
void fill_and_call(void);
void entry_point(void);
void middle(void);
__int128 two_words(void);
double complex two_floats(void);
long double x87(void);

static int faults;

static void check(const char *what, int round, uint64_t got, uint64_t want) {
  if (got == want)
    return;
  faults++;
  printf("round %d: %s is %#llx, should be %#llx\n", round, what, (unsigned long long)got, (unsigned long long)want);
}

// The carry, parity, adjust, zero, sign, direction and overflow flags.
enum { kFlags = 0xcd5 };
static const uint64_t flag_rounds[] = {0x001, 0x004, 0x010, 0x040, 0x080, 0x800, 0x8d5, 0x000, 0x400, 0xcd5};

static void run(const char *what, void (*function)(void), int round, int red) {
  static const char *const names[16] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  char name[64];
  for (int i = 0; i < 16; i++) {
    given.general[i] = 0x0101010101010101ull * (i + 1) ^ ((uint64_t)round << 40);
    for (int b = 0; b < 16; b++)
      given.xmm[i][b] = (uint8_t)(i * 16 + b + round);
  }
  given.flags = 0x202 | flag_rounds[round % 10];
  memset(&seen, 0, sizeof seen);
  callee = function;
  uint32_t mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  fill_and_call();
  given.general[7] -= 8;
  for (int i = 0; i < 16; i++) {
    snprintf(name, sizeof name, "%s in %s", names[i], what);
    if (red && i == 0)
      check(name, round, seen.general[0], given.general[0]);
    else
      check(name, round, seen.general[i], i == 0 && red ? seen.general[0] : given.general[i]);
    snprintf(name, sizeof name, "xmm%d in %s", i, what);
    check(name, round, memcmp(seen.xmm[i], given.xmm[i], 16) != 0, 0);
  }
  snprintf(name, sizeof name, "flags in %s", what);
  check(name, round, seen.flags & kFlags, given.flags & kFlags);
  check("mxcsr", round, seen.mxcsr, mxcsr);
  if (!red)
    return;
  static const int at[5] = {8, 16, 64, 120, 128};
  for (int i = 0; i < 5; i++)
    check("the red zone", round, red_zone[i], 0x5a5a0000u + (unsigned)at[i]);
}

__attribute__((noinline)) int keeps_errno(int value) {
  __asm__ volatile("addl $3, %0\n\tsubl $3, %0" : "+r"(value)); // long enough to be patched
  return value + 1;
}

int main(void) {
  for (int round = 0; round < 50; round++) {
    run("entry_point", entry_point, round, 0);
    run("middle", middle, round, 1);
    __int128 words = two_words();
    check("rax of two_words", round, (uint64_t)words, 0x1111222233334444ull);
    check("rdx of two_words", round, (uint64_t)(words >> 64), 0x5555666677778888ull);
    double complex floats = two_floats();
    check("xmm0 of two_floats", round, creal(floats) == 1.5, 1);
    check("xmm1 of two_floats", round, cimag(floats) == -2.25, 1);
    check("st0 of x87", round, x87() == 3.141592653589793238462643383279502884L, 1);
    // Bytes of the caller's frame around the call.
    volatile uint8_t frame[256];
    for (int i = 0; i < 256; i++)
      frame[i] = (uint8_t)(i ^ round);
    errno = 1000 + round;
    check("rax of keeps_errno", round, (uint64_t)keeps_errno(round), (uint64_t)(round + 1));
    check("errno", round, (uint64_t)errno, (uint64_t)(1000 + round));
    for (int i = 0; i < 256; i++)
      check("the caller's frame", round, frame[i], (uint8_t)(i ^ round));
  }
  puts(faults ? "something changed" : "all survive");
  return faults != 0;
}
