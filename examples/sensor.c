// SPDX-License-Identifier: MIT
//
// A device's program to observe with sensor.bpf.c. Each line of standard input is a number of
// readings to take; the answer is their sum. The readings are the same each time it is started.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) int read_sensor(int channel) {
  static unsigned readings;
  unsigned noise = readings++ * 37 % 200;
  __asm__ volatile(""); // what a driver would do here is not the compiler's to see
  return (int)(200 + 10 * (unsigned)channel + noise);
}

int main(void) {
  char line[64];
  long total = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("sensor %d is ready\n", (int)getpid());
  while (fgets(line, sizeof line, stdin)) {
    long count = strtol(line, NULL, 10);
    long sum = 0;
    for (long i = 0; i < count; ++i)
      sum += read_sensor((int)(i % 4));
    total += count;
    printf("%ld readings, sum %ld\n", count, sum);
  }
  printf("sensor ends after %ld readings\n", total);
  return 7;
}
