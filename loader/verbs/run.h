// SPDX-License-Identifier: MIT
//
// `run` in its two forms: probes put in by ptrace (run.cpp), or by the preload library in the
// command itself (run_preload.cpp), and what they share.
#pragma once

#include "loader/watch.h"

#include <sys/types.h>

namespace bpfaot::loader {

// Whether the command may start with this plan; else the reason that counts.
Status check_plan(const Plan& plan);
int shell_status(int status); // of what waitpid says
Result<int> wait_for_end(pid_t pid);

// bpf-aot run --preload. [preload-missing] [handover] and what planning and attaching refuse
Result<int> run_preloaded(const ParsedArguments& arguments, const Console& console);

} // namespace bpfaot::loader
