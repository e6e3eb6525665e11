// SPDX-License-Identifier: MIT
// env N: calls getenv N times.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  int found = 0;
  for (long i = 0; i < (argc > 1 ? atol(argv[1]) : 0); i++)
    found += getenv("HOME") != 0;
  return found < 0;
}
