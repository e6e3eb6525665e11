// SPDX-License-Identifier: MIT
//
// LLVM's view of a target: registration, TargetMachine, and the attributes that every function of
// an image carries.
#pragma once

#include "support/result.h"
#include "targets/target.h"

#include <memory>
#include <span>
#include <string>

namespace llvm {
class Function;
class TargetMachine;
} // namespace llvm

namespace bpfaot::aotc {

// Whether code may use vector registers. Attached programs run in the middle of somebody else's
// function, and saving vector state would cost more than most programs do.
enum class RegisterUse : uint8_t { general_only, all };

// What code is made for, as LLVM's words.
struct Processor {
  std::string cpu;
  std::string features; // of --mattr, "+lse,-rcpc"; a machine's own come after and win
};

// Registers the back ends; cheap to repeat.
void initialise_llvm();
std::string llvm_version();
// What LLVM calls when it cannot go on; must not return. Without it LLVM aborts.
void set_fatal_error_handler(void (*handler)(const char* reason));
// Words of -mllvm, once a process. [usage] with LLVM's own words.
Status apply_llvm_arguments(std::span<const std::string> arguments);

Result<std::unique_ptr<llvm::TargetMachine>> create_machine(const targets::Target& target,
                                                            const Processor& processor,
                                                            int opt_level);

// CPU, features, nounwind, alignment. Replaces what the function had of these.
void set_function_attributes(llvm::Function& function, const targets::Target& target,
                             const Processor& processor, RegisterUse use);

} // namespace bpfaot::aotc
