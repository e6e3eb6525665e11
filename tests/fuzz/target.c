/* SPDX-License-Identifier: MIT
 *
 * What the planner's fuzzer starts from: functions of many beginnings, a local one, a table of
 * pointers, an indirect function, names that return probes treat specially.
 */
#define USED __attribute__((used, noinline))

int counter;
static int (*table[2])(int);

USED static int local(int x) {
  counter += x;
  return x * 3;
}

USED int tiny(void) { return 1; }
USED void empty(void) {}
USED int loop(int n) {
  int sum = 0;
  do {
    sum += n * counter;
    __asm__ volatile("");
  } while (--n > 0);
  return sum;
}
USED int branches(int a, int b) {
  if (a > b)
    return local(a) + counter;
  if (a == 7)
    return table[b & 1](a);
  return loop(b);
}
USED int many(int a) {
  switch (a) {
  case 0: return tiny();
  case 1: return local(3);
  case 2: return branches(a, 4);
  case 3: return counter;
  case 4: return loop(a);
  case 5: return 99;
  default: return a;
  }
}
USED int setjmp(void *p) { return p != 0; }
USED int _Unwind_RaiseException(void *p) { return local(p != 0); }
USED int dl_iterate_phdr(void *p) { return branches(p != 0, 1); }

#ifdef __x86_64__
USED static void *resolve(void) { return counter ? (void *)loop : (void *)many; }
int chosen(int) __attribute__((ifunc("resolve")));
USED int calls_chosen(int x) { return chosen(x); }
#endif

USED void _start(void) {
  table[0] = local;
  table[1] = many;
  branches(1, 2);
  for (;;)
    ;
}
