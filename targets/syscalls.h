// SPDX-License-Identifier: MIT
//
// What system calls are called and numbered on each machine.
#pragma once

#include "targets/target.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace bpfaot::targets {

std::string_view syscall_name(const Target& target, uint64_t number); // "" when there is none
std::optional<uint32_t> syscall_number(const Target& target, std::string_view name);

} // namespace bpfaot::targets
