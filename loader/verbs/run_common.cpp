// SPDX-License-Identifier: MIT
//
// What a run asks of its plan and hands back of its command, whoever puts the probes in.
#include "loader/verbs/run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bpfaot::loader {
namespace {

// A path that nothing can ever map, unlike a library that has not been loaded yet.
bool is_missing_file(const AttachSpec& spec) {
  return spec.path.find('/') != std::string::npos && access(spec.path.c_str(), F_OK) != 0 && errno == ENOENT;
}

} // namespace

// A command that is not probed as asked for is not started: except that a library may come later,
// and what is declined for safety leaves the other probes.
Status check_plan(const Plan& plan) {
  const Diagnostic* first = nullptr;
  bool any = false;
  for (const PlanRow& row : plan.rows) {
    if (!row.refusal) {
      any = true;
      continue;
    }
    const Code code = row.refusal->code;
    if (code == Code::kSymbolNotFound || code == Code::kAttachIfunc || code == Code::kAttachDecode ||
        (code == Code::kAttachFile && is_missing_file(row.wish.spec))) {
      return Failure(*row.refusal);
    }
    first = first == nullptr && code != Code::kAttachFile ? &*row.refusal : first;
  }
  return any || first == nullptr ? Status{} : Status(Failure(*first));
}

int shell_status(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

Result<int> wait_for_end(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return fail(Code::kIo, std::string("waiting for the command: ") + std::strerror(errno));
    }
  }
  return shell_status(status);
}

} // namespace bpfaot::loader
