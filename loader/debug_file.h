// SPDX-License-Identifier: MIT
//
// The separate debug file of a stripped binary, for its static symbols. It is looked for where
// debuggers look: by build-id, else by the name and checksum in .gnu_debuglink. Distributions install
// them under /usr/lib/debug.
#pragma once

#include "loader/elf.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bpfaot::loader {

// The bytes of the debug file of `elf`, which the process has mapped as `path`; nothing when there is
// none that belongs to it and has symbols. `roots` are folders in which paths are looked up: "" is
// this file system, /proc/PID/root that of a process.
std::optional<std::vector<uint8_t>> find_debug_file(const ElfView& elf, const std::string& path,
                                                    const std::vector<std::string>& roots);
// Whether `debug` was split from `elf`: the same build-id, or without one the checksum of the link;
// and the same code segments.
bool belongs_to(const ElfView& debug, const ElfView& elf);

} // namespace bpfaot::loader
