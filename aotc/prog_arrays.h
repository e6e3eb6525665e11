// SPDX-License-Identifier: MIT
//
// Program arrays of an object: what the kernel decides when it loads the programs that use one and
// when libbpf fills it.
#pragma once

#include "bpf/object.h"
#include "support/diagnostic.h"
#include "verifier/verifier.h"

#include <span>
#include <vector>

namespace bpfaot::aotc {

// Errors [tail-call]: programs of different kinds use or fill one array. Warnings [tail-target]: a
// slot is for a program that is not among `programs`.
std::vector<Diagnostic> check_prog_arrays(const bpf::Object& object,
                                          std::span<const verifier::VerifiedProgram> programs);

} // namespace bpfaot::aotc
