// SPDX-License-Identifier: MIT
//
// The environment that the program was started with, found where the kernel put it, so that no C
// library is asked; and taking our own variables out of it before the program looks.
//
//   BPFAOT_PRELOAD_IMAGE    the probe, when the library works by itself
//   BPFAOT_PRELOAD_ATTACH   attach targets as after --attach, one a line
//   BPFAOT_PRELOAD_SET      variables as after --set, one a line
//   BPFAOT_PRELOAD_MAP      map attributes as after --map, one a line
//   BPFAOT_PRELOAD_VERBOSE  1: say what was attached
//   BPFAOT_PRELOAD_FOLLOW   1: leave the environment as it is, so that programs that this one
//                           executes or starts get probes too
//   BPFAOT_PRELOAD_FD       a socket to the `bpf-aot run --preload` that started the program; then
//                           the others are not looked at
#pragma once

#include "support/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

// [preload-start]
Status find_environment();
// One value per line of the variable.
std::vector<std::string> variable_lines(const char* name);
bool variable_is_set(const char* name); // to something else than "" and "0"
// Takes BPFAOT_PRELOAD_* out, and this library, under whatever path, out of LD_PRELOAD.
void clean_environment();

} // namespace bpfaot::loader
