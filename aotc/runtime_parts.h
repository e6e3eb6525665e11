// SPDX-License-Identifier: MIT
//
// minirt in two parts, made once when bpf-aotc is built: the helpers, which programs take in, as
// bitcode that is simplified already; everything else as native code, which the linker adds where
// a program needs it. Compiling a probe then costs what its own code costs.
#pragma once

#include "support/result.h"
#include "targets/target.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace llvm {
class Function;
class Module;
} // namespace llvm

namespace bpfaot::aotc {

// Names of the files in DIR/<triple>/.
inline constexpr std::string_view kHelperFile = "minirt.bc";
inline constexpr std::string_view kAttachedFile = "minirt.o";      // no vector registers
inline constexpr std::string_view kBufferFile = "minirt-vector.o"; // for programs on buffers

struct RuntimeParts {
  std::vector<uint8_t> helpers;          // bitcode
  std::vector<uint8_t> attached, buffer; // ET_REL
};

// Splits minirt as it came from clang. A function that must inline (RT_HELPER) is a helper; what
// the helpers call and no helper is is native. Nothing native calls a helper. [codegen]
Result<RuntimeParts> split_runtime(std::unique_ptr<llvm::Module> whole,
                                   const targets::Target& target);

// Bytes of stack that a native function and all it calls may use, as split_runtime() noted it at
// the declaration; 0 where it noted nothing.
uint64_t noted_stack(const llvm::Function& declaration);
bool is_native(const llvm::Function& declaration);

} // namespace bpfaot::aotc
