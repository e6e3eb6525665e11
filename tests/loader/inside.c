// SPDX-License-Identifier: MIT
// inside PID MAPPING SIGNAL: steps through a process of one thread until it executes code of MAPPING, as
// /proc/PID/maps names it, for the code of a bpf-aot and with no register leading back there; then lets it
// go with a signal. Says "inside", or "not found".
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__x86_64__)
#define PC(regs) (regs).rip
#elif defined(__aarch64__)
#define PC(regs) (regs).pc
#else
#error "there are no single steps on this machine"
#endif

struct range {
  unsigned long low, high;
};

static int find(int pid, const char *name, struct range *ranges, int most) {
  char path[64], line[512], permissions[8];
  int found = 0;
  struct range one;
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *maps = fopen(path, "r");
  while (maps != NULL && found < most && fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, name) != NULL && sscanf(line, "%lx-%lx %7s", &one.low, &one.high, permissions) == 3 &&
        permissions[2] == 'x')
      ranges[found++] = one;
  }
  return found;
}

static int is_in(const struct range *ranges, int count, unsigned long address) {
  for (int i = 0; i < count; i++)
    if (address >= ranges[i].low && address < ranges[i].high)
      return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  const int pid = atoi(argv[1]);
  int status = 0, found = 0;
  struct range wanted[8], ours[8];
  const int count = find(pid, argv[2], wanted, 8), own = find(pid, "memfd:bpf", ours, 8);
  if (count == 0 || own == 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 ||
      ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid)
    return 1;
  for (long step = 0; step < 1000000 && !found; step++) {
    struct user_regs_struct regs;
    struct iovec vector = {&regs, sizeof regs};
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &vector) != 0)
      return 1;
    found = is_in(wanted, count, PC(regs));
    for (size_t i = 0; found && i < sizeof regs / sizeof(long); i++)
      found = !is_in(ours, own, ((unsigned long *)&regs)[i]);
  }
  ptrace(PTRACE_DETACH, pid, NULL, found ? (void *)(long)atoi(argv[3]) : NULL);
  puts(found ? "inside" : "not found");
  return 0;
}
