// SPDX-License-Identifier: MIT
//
// `bpf-aot run` by the kernel's means: loads an object, attaches its programs where their sections
// say, runs a command, detaches. usage: kernel_run OBJECT COMMAND…
#include "kernel.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int count, char **arguments) {
  if (count < 3)
    return 2;
  struct bpf_object *object = load_into_kernel(arguments[1]);
  struct bpf_program *program;
  struct bpf_link *links[16];
  int used = 0;
  if (!object) {
    fprintf(stderr, "the kernel does not load %s: %s\n", arguments[1], strerror(errno));
    return 1;
  }
  bpf_object__for_each_program(program, object) {
    if (used == 16 || !(links[used] = bpf_program__attach(program))) {
      fprintf(stderr, "the kernel does not attach %s: %s\n", bpf_program__name(program), strerror(errno));
      return 1;
    }
    ++used;
  }
  pid_t child;
  int status = 1;
  if (posix_spawn(&child, arguments[2], NULL, NULL, arguments + 2, environ) != 0 || waitpid(child, &status, 0) < 0)
    return 1;
  while (used > 0)
    bpf_link__destroy(links[--used]);
  bpf_object__close(object);
  return WEXITSTATUS(status);
}
