// SPDX-License-Identifier: MIT
//
// An archive with which somebody else can do the same run (--reproduce).
#pragma once

#include "support/result.h"

#include <span>
#include <string>
#include <string_view>

namespace bpfaot::aotc {

// Writes PATH, a tar archive with one folder: response.txt (the arguments, with files named as they
// are in the folder), version.txt, and the input files. In it, `bpf-aotc @response.txt` does what
// `arguments` did. An input that cannot be read is left out; the run itself complains about it.
// [io] [usage]
Status write_reproduction(const std::string& path, std::span<const std::string> arguments,
                          std::string_view version);

} // namespace bpfaot::aotc
