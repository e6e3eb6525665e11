// SPDX-License-Identifier: MIT
//
// docs/diagnostics.md, which is a part of this program, by its entries.
#pragma once

#include "support/result.h"

#include <string>
#include <string_view>

namespace bpfaot::aotc {

// What the page says about a code; the list of codes for "help". [usage] names the nearest code.
Result<std::string> explanation(std::string_view code);

} // namespace bpfaot::aotc
