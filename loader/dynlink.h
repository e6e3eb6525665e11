// SPDX-License-Identifier: MIT
//
// The dynamic linker of a process that starts: lets it run until the libraries are mapped and
// relocated but none of their constructors has run. Debuggers have the same need, so linkers call
// an empty function (_dl_debug_state) whenever the list of libraries changes, and say in their
// struct r_debug whether the list is consistent (svr4 "rendezvous"; glibc elf/dl-debug.c, musl
// ldso/dynlink.c). The first consistent state is the one that is wanted.
#pragma once

#include "loader/modules.h"
#include "loader/process.h"

namespace bpfaot::loader {

enum class Startup : uint8_t {
  is_static,   // there is no dynamic linker: nothing has run
  consistent,  // stopped before the first constructor
  at_entry,    // stopped at the executable's entry: the linker does not announce itself
  exited,      // the process ended on the way
};

// The process is stopped behind exec.
Result<Startup> run_to_consistent(Process& process);

} // namespace bpfaot::loader
