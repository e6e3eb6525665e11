// SPDX-License-Identifier: MIT
//
// What this build is. Part of the executable only: the commit changes more often than the rooms.
#pragma once

#include <string>

namespace bpfaot::aotc {

std::string version_text();
// {"tool","version","commit","llvm","lld","libbpf","abi","verifier","formats","targets"}
std::string version_json();

} // namespace bpfaot::aotc
