// SPDX-License-Identifier: MIT
//
// Which of LLVM's passes run over what: programs when they are compiled, minirt when it is built.
#pragma once

namespace llvm {
class Module;
class TargetLibraryInfoImpl;
class TargetMachine;
} // namespace llvm

namespace bpfaot::aotc {

// What code may call by itself: there is no C library, only minirt's memory functions.
llvm::TargetLibraryInfoImpl known_library(const llvm::Module& module);

// The standard pipeline with the machine's cost model. level 0..3; `size` prefers small code (at 2).
void optimise(llvm::Module& module, llvm::TargetMachine& machine, int level, bool size = false);

// What can be done to code before it is known what it will be inlined into: everything is
// simplified, no loop is unrolled.
void simplify(llvm::Module& module, llvm::TargetMachine& machine);

} // namespace bpfaot::aotc
