// SPDX-License-Identifier: MIT
//
// Warnings about numbers of system calls that are compared with constants: on another machine than the
// one whose headers the object was compiled with, such a constant means another call, or none.
#pragma once

#include "support/diagnostic.h"
#include "targets/target.h"
#include "verifier/verifier.h"

#include <span>
#include <vector>

namespace bpfaot::aotc {

// [syscall-number] for each comparison that means something else on one of `targets`. An object that
// does not tell its machine is taken to be of this one.
std::vector<Diagnostic> syscall_number_warnings(const verifier::VerifiedProgram& verified,
                                                std::span<const targets::Target* const> targets);

} // namespace bpfaot::aotc
