// SPDX-License-Identifier: MIT
// killer N COMMAND…: runs a command and kills it before the Nth of its system calls, counted from its
// first ptrace() on, or before the first ppoll/poll behind that (a bpf-aot that has attached waits
// there). Prints "killed N NUMBER" with the call's number, "reached" for the poll, or "ended STATUS".
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

struct entry { // of a system call, as PTRACE_GET_SYSCALL_INFO says
  uint8_t op, reserved[3];
  uint32_t arch;
  uint64_t pc, sp, number, args[6];
};

int main(int argc, char **argv) {
  if (argc < 3)
    return 2;
  long wanted = atol(argv[1]), seen = 0;
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execv(argv[2], argv + 2);
    _exit(127);
  }
  int status = 0, entering = 0, signal = 0;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC);
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, 0, signal);
    if (waitpid(child, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
      printf("ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      return 0;
    }
    signal = 0;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = status >> 16 ? 0 : WSTOPSIG(status);
      continue;
    }
    entering = !entering;
    if (!entering)
      continue;
    struct entry call = {0};
    ptrace(0x420e /* PTRACE_GET_SYSCALL_INFO */, child, (void *)sizeof call, &call);
    long number = (long)call.number;
    seen += seen != 0 || number == SYS_ptrace;
    int polls = number == SYS_ppoll;
#ifdef SYS_poll
    polls |= number == SYS_poll;
#endif
    polls &= seen != 0;
    if (seen == wanted || polls) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      if (polls)
        printf("reached %ld\n", seen);
      else
        printf("killed %ld %ld\n", seen, number);
      return 0;
    }
  }
}
