// SPDX-License-Identifier: MIT
//
// Whether a command will load the preload library, as far as its file says.
#pragma once

#include "support/result.h"

#include <string>

namespace bpfaot::loader {

// As execvp(3) looks for it: "" when no folder of PATH has it.
std::string find_command(const std::string& name);
// Dynamic, for this machine, and started without a change of user; of a script, its interpreter.
// What cannot be read is believed. [preload-missing]
Status check_loads_libraries(const std::string& path);
// libbpfaot-preload.so of this machine, relative to this executable. [preload-missing]
Result<std::string> find_preload_library();

} // namespace bpfaot::loader
