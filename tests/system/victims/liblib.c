// SPDX-License-Identifier: MIT
// A library whose constructor calls its own function three times.
__attribute__((noinline)) long lib_work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i + 1;
}

__attribute__((constructor)) static void construct(void) {
  for (long i = 0; i < 3; i++)
    lib_work(i);
}
