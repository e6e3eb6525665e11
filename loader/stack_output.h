// SPDX-License-Identifier: MIT
//
// Stack trace maps as text and JSON, with the names of functions where the process lives.
#pragma once

#include "loader/map_output.h"

#include <string>

namespace bpfaot::loader {

// Each stack under its id, one address per line, the innermost first.
std::string print_stacks(const Image& image, const Session& session, uint32_t map,
                         const MapOutputOptions& options);

} // namespace bpfaot::loader
